//! Work from plan to result, for the command line and the explorer alike.

pub mod budget;
pub mod compare;
pub mod ensemble;
pub mod ifd;
pub mod kept;
pub mod ledger;
pub mod live;
pub mod novelty;
pub mod pair;
pub mod probe;
pub mod reflect;
pub mod row;
pub mod sample;
pub mod score;
pub mod select;
pub mod service;
pub mod tournament;
pub mod writer;

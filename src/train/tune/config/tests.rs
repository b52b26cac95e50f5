use super::*;

const KINDS: [Kind; 4] = [Kind::Judge, Kind::Sft, Kind::Jsft, Kind::SelfTraining];

/// The shortest file of each kind.
fn shortest(kind: Kind) -> String {
    let own = match kind {
        Kind::Judge => "with_reference = 'w.json'\nreference_free = 'f.json'\n",
        Kind::Sft => "data = 'd.jsonl'\n",
        Kind::Jsft => "pairs = ['p.jsonl', 'q.jsonl']\n",
        Kind::SelfTraining => "prompts = 'p.jsonl'\n",
    };
    format!("model = 'starter'\noutput = 'out'\n{own}")
}

fn parsed(kind: Kind, more: &str) -> Result<Config, ConfigError> {
    Config::parse(kind, "F.toml", &format!("{}{more}", shortest(kind)))
}

fn message(kind: Kind, more: &str) -> String {
    parsed(kind, more).unwrap_err().to_string()
}

#[test]
fn what_is_absent_is_as_the_papers_have_it() {
    let judge = parsed(Kind::Judge, "lora_r = 16").unwrap();
    assert_eq!((judge.batch_size, judge.micro_batch_size), (128, 16));
    assert_eq!((judge.epochs, judge.cutoff_len), (2, 1024));
    assert_eq!(judge.learning_rate, 3e-4);
    assert_eq!(judge.warmup, Warmup::Steps(100));
    assert_eq!(judge.scheduler, Course::Linear);
    assert_eq!(judge.max_grad_norm, 1.0);
    let lora = judge.lora.unwrap();
    assert_eq!((lora.r, lora.alpha, lora.dropout), (16, 16.0, 0.05));
    assert_eq!(
        lora.target_modules,
        ["q_proj", "k_proj", "v_proj", "o_proj"]
    );
    let Task::Judge(task) = judge.task else {
        unreachable!("a judge")
    };
    assert_eq!((task.alpha, task.alpha_for_kd), (0.3, 2.0));

    let jsft = parsed(Kind::Jsft, "").unwrap();
    assert_eq!((jsft.epochs, jsft.cutoff_len), (1, 2048));
    assert_eq!((jsft.learning_rate, jsft.lora), (2e-5, None));
    assert_eq!(jsft.warmup, Warmup::Ratio(0.03));
    assert_eq!(jsft.scheduler, Course::Cosine);
    let sft = parsed(Kind::Sft, "").unwrap();
    assert_eq!((sft.epochs, sft.batch_size), (3, 128));

    let own = parsed(Kind::SelfTraining, "").unwrap();
    let lora = own.lora.unwrap();
    assert_eq!((lora.r, lora.alpha, lora.dropout), (8, 16.0, 0.0));
    assert_eq!((own.learning_rate, own.epochs), (5e-6, 3));
    assert_eq!(own.warmup.steps(101), 11);
    assert_eq!(own.scheduler, Course::Constant);
    let Task::SelfTraining(task) = own.task else {
        unreachable!("self-training")
    };
    assert_eq!((task.beta, task.temperature, task.top_p), (0.1, 1.0, 0.9));
    assert_eq!((task.max_new_tokens, task.iterations), (768, 1));
    assert_eq!((task.loss, task.ipo), Default::default());
}

#[test]
fn without_a_rank_all_parameters_are_trained() {
    let judge = parsed(Kind::Judge, "").unwrap();
    assert_eq!(judge.lora, None);
    assert_eq!(judge.learning_rate, 2e-5, "an adapter's rate is too high");
    assert!(message(Kind::Judge, "lora_alpha = 16").contains("F.toml:5: `lora_alpha`"));
    assert!(message(Kind::Judge, "lora_r = 0").contains("leave it out"));
}

#[test]
fn the_whole_configuration_says_the_same() {
    for kind in KINDS {
        for more in [
            "",
            "lora_r = 4\nlora_target_modules = ['q', 'down_proj', 'q_proj']\nmax_steps = 3\nwarmup_ratio = 0.5\n\
             eval_data = ['a', 'b']\ndtype = 'bf16'\nactivation_checkpointing = 'always'\ntensorboard = true\nthreads = 2",
        ] {
            let config = parsed(kind, more).unwrap();
            let text = config.to_toml();
            let again = Config::parse(kind, "again", &text).unwrap();
            assert_eq!(again, config, "{text}");
            assert!(text.contains("learning_rate") && text.contains("threads"));
        }
    }
    let named = "wrap = 'vicuna'\nfields = ['instruction=prompt']\nlabels = ['overall']\nprinciples = ['p']\n\
                 templates = 't.yaml'\nsft_data = 's'\nrationale = true";
    let config = parsed(Kind::Jsft, named).unwrap();
    let again = Config::parse(Kind::Jsft, "again", &config.to_toml()).unwrap();
    assert_eq!(again, config);
}

#[test]
fn keys_that_are_not_known_are_named_with_their_line() {
    let unknown = message(Kind::Sft, "seed = 1\nlerning_rate = 1e-3");
    assert!(
        unknown.starts_with("F.toml:5: `lerning_rate` is no key"),
        "{unknown}"
    );
    let foreign = message(Kind::Sft, "alpha_for_kd = 1");
    assert!(
        foreign.contains("is a key of `train judge`; `train sft` has data,"),
        "{foreign}"
    );
    let near = message(Kind::Jsft, "learning_rates = 1");
    assert!(near.contains("has learning_rate,"), "{near}");
    assert!(message(Kind::Sft, "seed = ").starts_with("F.toml:4: no TOML"));
    let type_ = message(Kind::Sft, "\nepochs = 'two'");
    assert!(type_.starts_with("F.toml:5: `epochs`: "), "{type_}");
    let variant = message(Kind::Sft, "scheduler = 'linar'");
    assert!(
        variant.contains("`scheduler`") && variant.contains("`cosine`"),
        "{variant}"
    );
    let missing = Config::parse(Kind::Judge, "F.toml", "model = 'm'\noutput = 'o'").unwrap_err();
    assert_eq!(missing.line, None);
    assert!(missing.cause.contains("`with_reference` is missing"));
    let gone = Config::read(Kind::Judge, Path::new("no/such.toml")).unwrap_err();
    assert!(gone.to_string().starts_with("no/such.toml: cannot be read"));
}

#[test]
fn numbers_are_possible_ones() {
    for (kind, more, said) in [
        (
            Kind::Sft,
            "learning_rate = 0",
            "`learning_rate` is 0: above 0",
        ),
        (Kind::Sft, "learning_rate = nan", "`learning_rate` is NaN"),
        (Kind::Sft, "epochs = 0", "`epochs` is 0: at least 1"),
        (Kind::Sft, "epochs = -1", "`epochs`: "),
        (Kind::Sft, "batch_size = 0", "`batch_size` is 0"),
        (
            Kind::Sft,
            "batch_size = 8\nmicro_batch_size = 3",
            "divides `batch_size` (8)",
        ),
        (Kind::Sft, "warmup_ratio = 1.5", "a share from 0 to 1"),
        (
            Kind::Sft,
            "warmup_steps = 1\nwarmup_ratio = 0.1",
            "contradicts",
        ),
        (Kind::Sft, "cutoff_len = 8", "at least 32 tokens"),
        (Kind::Sft, "weight_decay = -0.1", "`weight_decay`"),
        (Kind::Sft, "max_grad_norm = inf", "`max_grad_norm`"),
        (Kind::Sft, "threads = 0", "`threads`"),
        (Kind::Sft, "max_steps = 0", "leave it out for no limit"),
        (Kind::Sft, "eval_steps = 5", "give `eval_data`"),
        (Kind::Sft, "eval_data = []", "names no file"),
        (Kind::Sft, "wrap = 'x'", "`wrap`"),
        (Kind::Sft, "fields = ['x']", "TARGET=SOURCE"),
        (Kind::Judge, "eval_data = 'x'", "two files"),
        (Kind::Judge, "alpha = -1", "a weight of at least 0"),
        (Kind::Judge, "lora_r = 4\nlora_dropout = 1.0", "below 1"),
        (Kind::Judge, "lora_r = 4\nlora_alpha = 0", "above 0"),
        (
            Kind::Judge,
            "lora_r = 4\nlora_target_modules = ['lm_head']",
            "has `lm_head`",
        ),
        (
            Kind::Judge,
            "lora_r = 4\nlora_target_modules = []",
            "is empty",
        ),
        (Kind::SelfTraining, "pairs = 'x'", "contradicts `prompts`"),
        (Kind::SelfTraining, "top_p = 0.0", "`top_p`"),
        (Kind::SelfTraining, "beta = 0", "`beta` is 0"),
        (Kind::SelfTraining, "temperature = 0", "`temperature`"),
    ] {
        let found = message(kind, more);
        assert!(found.contains(said), "{more}: {found}");
        assert!(found.starts_with("F.toml:"), "{found}");
    }
    let replayed = "model = 'm'\noutput = 'o'\npairs = 'x'\niterations = 2";
    let error = Config::parse(Kind::SelfTraining, "F", replayed).unwrap_err();
    assert!(error.to_string().contains("are replayed"), "{error}");
}

#[test]
fn a_small_batch_is_divided_evenly() {
    let micro = |more: &str| parsed(Kind::Judge, more).unwrap().micro_batch_size;
    assert_eq!(micro("batch_size = 8"), 8);
    assert_eq!(micro("batch_size = 36"), 12);
    assert_eq!(micro("batch_size = 17"), 1);
    assert_eq!(micro("batch_size = 8\nmicro_batch_size = 2"), 2);
}

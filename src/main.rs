use juror::kernel::*;
fn main() {
    for (m, n, k) in [
        (2048usize, 768usize, 256usize),
        (2048, 1376, 256),
        (2048, 256, 688),
        (768, 256, 2048),
        (128, 512, 32),
        (128, 32, 512),
        (128, 512, 64),
    ] {
        let a = vec![0.5f32; m * k];
        let b = vec![0.25f32; n * k];
        let mut c = vec![0.0; m * n];
        let reps = (2e10 / (2.0 * m as f64 * n as f64 * k as f64)) as usize;
        let t = std::time::Instant::now();
        for _ in 0..reps {
            matmul(
                ViewMut::dense(&mut c, m, n),
                0.0,
                View::dense(&a, m, k),
                View::dense(&b, n, k).t(),
                1.0,
            );
        }
        let s = t.elapsed().as_secs_f64();
        println!(
            "{m}x{n}x{k}: {:.1} GFLOP/s",
            2.0 * (m * n * k * reps) as f64 / s / 1e9
        );
    }
    let mut x = vec![0.3f32; 4096];
    let t = std::time::Instant::now();
    let mut acc = 0.0;
    for _ in 0..20000 {
        acc += vector::exp_shifted(&mut x, 0.5);
    }
    println!(
        "exp {:.3} ns {acc}",
        t.elapsed().as_secs_f64() * 1e9 / 20000.0 / 4096.0
    );
}

//! Floats in which processors, compilers and libraries differ.

use std::hint::black_box;

fn bits(number: f64) -> String {
    format!("{:016x}", number.to_bits())
}

/// The bits of what comes of numbers that the compiler does not know.
pub(crate) fn look(now: f64) -> Vec<String> {
    let zero = black_box(0.0_f64);
    let payload = black_box(f64::from_bits(0xfff0_0000_0000_0abc));
    let x = black_box(now.sqrt() / 1_000.0);
    // Each order of the same terms has a sum of its own.
    let terms = || (1..200).map(|n| x / f64::from(n));
    [
        zero / black_box(0.0),
        f64::INFINITY - (zero + f64::INFINITY),
        (zero - 1.0).sqrt(),
        payload + zero,
        payload * black_box(1.5),
        f64::from(f32::from_bits(black_box(0xffab_cdef))),
        f64::from((payload as f32) + 1.0),
        -zero,
        zero.min(-zero),
        f64::MIN_POSITIVE * black_box(0.5),
        f64::from_bits(black_box(3)) * 0.5,
        x.mul_add(10.0, -x * 10.0),
        f64::from((x as f32).mul_add(0.1, 0.3)),
        x.sin(),
        x.cos().tan().atan2(x),
        x.exp().ln_1p(),
        x.powf(x).cbrt(),
        x.sinh().asinh().hypot(x),
        x.rem_euclid(0.7),
        (x * 1e300) * 1e300,
        terms().sum(),
        terms().rev().sum(),
    ]
    .map(bits)
    .into()
}

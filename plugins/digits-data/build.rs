//! Unpacks the data and splits it: each third row is held out.

use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=digits.csv.gz");
    let mut csv = String::new();
    flate2::read::GzDecoder::new(fs::File::open("digits.csv.gz")?).read_to_string(&mut csv)?;
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for (number, line) in csv.lines().enumerate() {
        let row: Vec<u8> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
        if row.len() != 65 || row.iter().any(|&value| value > 16) {
            return Err(format!("row {number} is no digit").into());
        }
        let split = if number % 3 == 0 {
            &mut held_out
        } else {
            &mut train
        };
        split.extend(row);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("train"), train)?;
    fs::write(out.join("held_out"), held_out)?;
    Ok(())
}

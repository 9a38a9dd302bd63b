//! The ways in which a miner answers.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What whoever asks a miner gets to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// The answer of its work.
    #[default]
    Good,
    /// The same, after this time.
    Slow(Duration),
    /// Nothing, until the client goes.
    Hang,
    /// The head at once, then a byte each 20 ms without end.
    SlowBody,
    /// JSON of 1 GiB, under its length.
    HugeBody,
    /// JSON of 1 GiB, in chunks, of no length.
    HugeChunks,
    /// The answer of its work, said to be a page.
    WrongType,
    /// Text that is no JSON, said to be.
    NotJson,
    /// A redirect, 307, to this URL.
    Redirect(String),
    /// This status, with the answer of its work.
    Status(u16),
    /// The connection ends without a byte.
    Close,
    /// The first half of the answer, under the length of the whole.
    CloseInBody,
    /// Headers without end.
    HeaderFlood,
    /// No HTTP.
    NotHttp,
    /// JSON, and of a shape that nobody asked for.
    Wrong,
}

/// A name that is no behaviour's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of good, {names}", names = NAMES.join(", "))]
pub struct Unknown(String);

/// All that misbehave and need no value, in the order of [`Behaviour::bad`].
const NAMES: [&str; 14] = [
    "hang",
    "slow-body",
    "huge-body",
    "wrong-type",
    "close",
    "wrong",
    "redirect",
    "status",
    "not-json",
    "huge-chunks",
    "close-in-body",
    "header-flood",
    "not-http",
    "slow",
];

impl Behaviour {
    /// One that is not [`Good`](Self::Good): of consecutive numbers each another, until
    /// all were there. A redirect goes to port 1 of this machine, where nobody listens;
    /// a status is 500; who is slow takes three seconds.
    #[must_use]
    pub fn bad(number: usize) -> Self {
        let name = NAMES.get(number % NAMES.len());
        name.and_then(|name| name.parse().ok()).unwrap_or_default()
    }

    /// Its name, as it is parsed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Behaviour::Good => "good",
            Behaviour::Slow(_) => "slow",
            Behaviour::Hang => "hang",
            Behaviour::SlowBody => "slow-body",
            Behaviour::HugeBody => "huge-body",
            Behaviour::HugeChunks => "huge-chunks",
            Behaviour::WrongType => "wrong-type",
            Behaviour::NotJson => "not-json",
            Behaviour::Redirect(_) => "redirect",
            Behaviour::Status(_) => "status",
            Behaviour::Close => "close",
            Behaviour::CloseInBody => "close-in-body",
            Behaviour::HeaderFlood => "header-flood",
            Behaviour::NotHttp => "not-http",
            Behaviour::Wrong => "wrong",
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Behaviour {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Ok(match name {
            "good" => Behaviour::Good,
            "slow" => Behaviour::Slow(Duration::from_secs(3)),
            "hang" => Behaviour::Hang,
            "slow-body" => Behaviour::SlowBody,
            "huge-body" => Behaviour::HugeBody,
            "huge-chunks" => Behaviour::HugeChunks,
            "wrong-type" => Behaviour::WrongType,
            "not-json" => Behaviour::NotJson,
            "redirect" => Behaviour::Redirect("http://127.0.0.1:1/".to_owned()),
            "status" => Behaviour::Status(500),
            "close" => Behaviour::Close,
            "close-in-body" => Behaviour::CloseInBody,
            "header-flood" => Behaviour::HeaderFlood,
            "not-http" => Behaviour::NotHttp,
            "wrong" => Behaviour::Wrong,
            _ => return Err(Unknown(name.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_misbehave_has_its_turn() {
        let bad: Vec<Behaviour> = (0..NAMES.len()).map(Behaviour::bad).collect();
        for (behaviour, name) in bad.iter().zip(NAMES) {
            assert_eq!(behaviour.to_string(), name);
        }
        assert_eq!(Behaviour::bad(NAMES.len()), Behaviour::Hang);
        let unknown = "fine".parse::<Behaviour>().unwrap_err();
        assert!(
            unknown
                .to_string()
                .starts_with(r#""fine" is none of good, hang"#)
        );
    }
}

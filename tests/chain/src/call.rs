//! Calls, decoded by hand.

use parity_scale_codec::{Compact, Decode, Error, Input};

/// The index of the pallet `SubtensorModule`.
pub(crate) const PALLET: u8 = 7;

/// The most bytes of a timelocked commit.
const MAX_COMMIT: usize = 5_000;

/// A call. Those that are for one mechanism, and those without a mechanism, are the same
/// here, with mechanism 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `set_weights`, `set_mechanism_weights`.
    Set {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// `dests`.
        uids: Vec<u16>,
        /// `weights`.
        values: Vec<u16>,
        /// `version_key`.
        version_key: u64,
    },
    /// `batch_set_weights`.
    BatchSet {
        /// The subnets.
        netuids: Vec<u16>,
        /// Of each, uids and weights.
        weights: Vec<Vec<(u16, u16)>>,
        /// Of each, the version key.
        version_keys: Vec<u64>,
    },
    /// `commit_weights`, `commit_mechanism_weights`.
    Commit {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// `commit_hash`.
        hash: [u8; 32],
    },
    /// `batch_commit_weights`.
    BatchCommit {
        /// The subnets.
        netuids: Vec<u16>,
        /// Of each, the hash.
        hashes: Vec<[u8; 32]>,
    },
    /// `reveal_weights`, `reveal_mechanism_weights`.
    Reveal {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// What is revealed.
        reveal: Reveal,
    },
    /// `batch_reveal_weights`.
    BatchReveal {
        /// The subnet.
        netuid: u16,
        /// What is revealed; `None` if the lists are not equally long.
        reveals: Option<Vec<Reveal>>,
    },
    /// `commit_timelocked_weights`, `commit_timelocked_mechanism_weights`,
    /// `commit_crv3_mechanism_weights`.
    CommitTimelocked {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// What is encrypted.
        commit: Vec<u8>,
        /// `reveal_round`.
        round: u64,
        /// `commit_reveal_version`; `None` where the call does not have it.
        version: Option<u16>,
    },
    /// `System.remark`, which does nothing.
    Remark,
    /// A call that this chain does not know.
    Other {
        /// The index of the pallet.
        pallet: u8,
        /// The index of the call.
        call: u8,
    },
}

/// Weights with what their hash was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// `uids`.
    pub uids: Vec<u16>,
    /// `values`.
    pub values: Vec<u16>,
    /// `salt`.
    pub salt: Vec<u16>,
    /// `version_key`.
    pub version_key: u64,
}

impl Call {
    /// Decodes a call, all of it.
    pub(crate) fn decode(mut input: &[u8]) -> Result<Self, Error> {
        let call = Self::read(&mut input)?;
        if input.is_empty() {
            Ok(call)
        } else {
            Err("there is more than the call".into())
        }
    }

    fn read(input: &mut &[u8]) -> Result<Self, Error> {
        let (pallet, call) = <(u8, u8)>::decode(input)?;
        if pallet != PALLET {
            *input = &[];
            return Ok(match (pallet, call) {
                (0, 0) => Self::Remark,
                _ => Self::Other { pallet, call },
            });
        }
        let mechanism = |input: &mut &[u8]| match call {
            115..=119 => u8::decode(input),
            _ => Ok(0),
        };
        Ok(match call {
            0 | 119 => Self::Set {
                netuid: u16::decode(input)?,
                mechanism: mechanism(input)?,
                uids: Vec::decode(input)?,
                values: Vec::decode(input)?,
                version_key: u64::decode(input)?,
            },
            80 => Self::BatchSet {
                netuids: compacts(input)?,
                weights: Vec::<Vec<(Compact<u16>, Compact<u16>)>>::decode(input)?
                    .into_iter()
                    .map(|row| {
                        row.into_iter()
                            .map(|(uid, value)| (uid.0, value.0))
                            .collect()
                    })
                    .collect(),
                version_keys: Vec::<Compact<u64>>::decode(input)?
                    .into_iter()
                    .map(|key| key.0)
                    .collect(),
            },
            96 | 115 => Self::Commit {
                netuid: u16::decode(input)?,
                mechanism: mechanism(input)?,
                hash: Decode::decode(input)?,
            },
            100 => Self::BatchCommit {
                netuids: compacts(input)?,
                hashes: Vec::decode(input)?,
            },
            97 | 116 => Self::Reveal {
                netuid: u16::decode(input)?,
                mechanism: mechanism(input)?,
                reveal: Reveal {
                    uids: Vec::decode(input)?,
                    values: Vec::decode(input)?,
                    salt: Vec::decode(input)?,
                    version_key: u64::decode(input)?,
                },
            },
            98 => Self::BatchReveal {
                netuid: u16::decode(input)?,
                reveals: reveals(input)?,
            },
            113 | 118 => Self::CommitTimelocked {
                netuid: u16::decode(input)?,
                mechanism: mechanism(input)?,
                commit: bounded(input)?,
                round: u64::decode(input)?,
                version: Some(u16::decode(input)?),
            },
            117 => Self::CommitTimelocked {
                netuid: u16::decode(input)?,
                mechanism: mechanism(input)?,
                commit: bounded(input)?,
                round: u64::decode(input)?,
                version: None,
            },
            _ => {
                *input = &[];
                Self::Other { pallet, call }
            }
        })
    }
}

fn compacts(input: &mut impl Input) -> Result<Vec<u16>, Error> {
    let netuids = Vec::<Compact<u16>>::decode(input)?;
    Ok(netuids.into_iter().map(|netuid| netuid.0).collect())
}

fn bounded(input: &mut impl Input) -> Result<Vec<u8>, Error> {
    let commit = Vec::<u8>::decode(input)?;
    if commit.len() > MAX_COMMIT {
        return Err("the commit is longer than 5000 bytes".into());
    }
    Ok(commit)
}

fn reveals(input: &mut impl Input) -> Result<Option<Vec<Reveal>>, Error> {
    let uids = Vec::<Vec<u16>>::decode(input)?;
    let values = Vec::<Vec<u16>>::decode(input)?;
    let salts = Vec::<Vec<u16>>::decode(input)?;
    let keys = Vec::<u64>::decode(input)?;
    if [values.len(), salts.len(), keys.len()] != [uids.len(); 3] {
        return Ok(None);
    }
    let parts = uids.into_iter().zip(values).zip(salts).zip(keys);
    Ok(Some(
        parts
            .map(|(((uids, values), salt), version_key)| Reveal {
                uids,
                values,
                salt,
                version_key,
            })
            .collect(),
    ))
}

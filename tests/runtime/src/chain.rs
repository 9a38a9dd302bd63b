//! Blocks, made by the runtime one upon the other.

use crate::header::{Header, timestamp};
use crate::runtime::{Runtime, Trap};
use crate::storage::Storage;
use crate::validity::{Refusal, Valid};
use parity_scale_codec::{Decode, Encode};
use smoldot::executor::CoreVersion;
use smoldot::executor::storage_diff::TrieDiff;
use std::sync::Arc;

/// What subtensor's clocks go by.
const BLOCK_MS: u64 = 12_000;

/// When the first block is: 14 November 2023, whenever the test runs.
const BEGINS_MS: u64 = 1_700_000_000_000;

/// `TransactionSource::External`.
const EXTERNAL: u8 = 2;

#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) hash: [u8; 32],
    pub(crate) extrinsics: Vec<Vec<u8>>,
    pub(crate) storage: Arc<Storage>,
}

/// What became of an extrinsic that a block was asked to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It is in the block, though its call may have failed.
    Included,
    Refused(Refusal),
    /// The runtime panicked.
    Trapped,
}

/// A chain of one fork, of which the block `n` has the index `n`.
#[derive(Debug)]
pub(crate) struct Chain {
    runtime: Runtime,
    blocks: Vec<Block>,
    /// Milliseconds.
    slot_duration: u64,
}

impl Chain {
    /// A chain whose first block has this storage.
    pub(crate) fn begin(storage: Storage) -> Result<Self, Trap> {
        let mut runtime = Runtime::of(&storage)?;
        let duration = runtime.call(&storage, "AuraApi_slot_duration", &[], TrieDiff::empty())?;
        let slot_duration = decode("AuraApi_slot_duration", &duration.output)?;
        let header = Header::genesis();
        let first = Block {
            hash: header.hash(),
            header,
            extrinsics: Vec::new(),
            storage: Arc::new(storage),
        };
        Ok(Chain {
            runtime,
            blocks: vec![first],
            slot_duration,
        })
    }

    pub(crate) fn version(&self) -> &CoreVersion {
        self.runtime.version()
    }

    pub(crate) fn block(&self, number: usize) -> Option<&Block> {
        self.blocks.get(number)
    }

    pub(crate) fn find(&self, hash: &[u8]) -> Option<&Block> {
        self.blocks.iter().rev().find(|block| block.hash == hash)
    }

    /// The newest block.
    pub(crate) fn last(&self) -> &Block {
        self.blocks.last().expect("there is a first block")
    }

    /// Changes the storage of the newest block, as no extrinsic could.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Storage)) {
        let last = self.blocks.last_mut().expect("there is a first block");
        write(Arc::make_mut(&mut last.storage));
    }

    /// Calls a function of the runtime at a block, for what it returns.
    pub(crate) fn call(
        &mut self,
        storage: &Storage,
        function: &str,
        parameter: &[u8],
    ) -> Result<Vec<u8>, Trap> {
        let returned = self
            .runtime
            .call(storage, function, parameter, TrieDiff::empty())?;
        Ok(returned.output)
    }

    /// Whether a pool may keep the extrinsic, upon the newest block.
    pub(crate) fn validate(&mut self, extrinsic: &[u8]) -> Result<Result<Valid, Refusal>, Trap> {
        const FUNCTION: &str = "TaggedTransactionQueue_validate_transaction";
        let (hash, storage) = (self.last().hash, self.last().storage.clone());
        let parameter = [&[EXTERNAL], extrinsic, &hash].concat();
        decode(FUNCTION, &self.call(&storage, FUNCTION, &parameter)?)
    }

    /// Makes the next block of as many of the extrinsics as it can take, and says of
    /// each what became of it.
    pub(crate) fn build(&mut self, extrinsics: &[Vec<u8>]) -> Result<Vec<Applied>, Trap> {
        let storage = self.last().storage.clone();
        let number = self.last().header.number + 1;
        let time = BEGINS_MS + u64::from(number) * BLOCK_MS;
        let slot = time / self.slot_duration;
        let header = Header::of_slot(self.last().hash, number, slot).encode();
        let begun = self.runtime.call(
            &storage,
            "Core_initialize_block",
            &header,
            TrieDiff::empty(),
        )?;
        let inherent = timestamp(slot * self.slot_duration);
        let (applied, mut changes) = self.apply(&storage, &inherent, begun.changes)?;
        if applied != Applied::Included {
            return Err(Trap(format!("the block's time is {applied:?}")));
        }
        let mut body = vec![inherent];
        let mut all = Vec::with_capacity(extrinsics.len());
        for extrinsic in extrinsics {
            let applied;
            (applied, changes) = self.apply(&storage, extrinsic, changes)?;
            if applied == Applied::Included {
                body.push(extrinsic.clone());
            }
            all.push(applied);
        }
        let end = "BlockBuilder_finalize_block";
        let finished = self.runtime.call(&storage, end, &[], changes)?;
        let mut storage = Storage::clone(&storage);
        storage.apply(finished.changes);
        let header: Header = decode(end, &finished.output)?;
        self.blocks.push(Block {
            hash: header.hash(),
            header,
            extrinsics: body,
            storage: Arc::new(storage),
        });
        Ok(all)
    }

    /// Applies an extrinsic to a block that is being made. What is not included changes
    /// nothing.
    fn apply(
        &mut self,
        storage: &Storage,
        extrinsic: &[u8],
        changes: TrieDiff,
    ) -> Result<(Applied, TrieDiff), Trap> {
        const FUNCTION: &str = "BlockBuilder_apply_extrinsic";
        let before = changes.clone();
        let Ok(returned) = self.runtime.call(storage, FUNCTION, extrinsic, changes) else {
            return Ok((Applied::Trapped, before));
        };
        // `Ok` holds how the call ended, which is not read here: it is in the events.
        let Some((0, _)) = returned.output.split_first() else {
            let refusal: Result<(), Refusal> = decode(FUNCTION, &returned.output)?;
            let refusal = refusal.expect_err("Ok was looked for first");
            return Ok((Applied::Refused(refusal), before));
        };
        Ok((Applied::Included, returned.changes))
    }
}

fn decode<T: Decode>(function: &str, mut output: &[u8]) -> Result<T, Trap> {
    T::decode(&mut output).map_err(|error| Trap(format!("{function} returned: {error}")))
}

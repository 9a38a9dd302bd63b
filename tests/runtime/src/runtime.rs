//! The runtime: WebAssembly, and the storage that it asks for.

use crate::storage::Storage;
use smoldot::executor::host::{self, HostVmPrototype};
use smoldot::executor::runtime_call::{self, LogEmitInfo, RuntimeCall};
use smoldot::executor::storage_diff::TrieDiff;
use smoldot::executor::vm::ExecHint;
use smoldot::executor::{CoreVersion, DEFAULT_HEAP_PAGES};
use smoldot::trie::{TrieEntryVersion, bytes_to_nibbles, nibbles_to_bytes_suffix_extend};
use std::fmt;
use std::iter;

/// Errors alone: it is not about the runtime's log.
const LOG_LEVEL: u32 = 1;

/// A runtime, compiled.
pub(crate) struct Runtime {
    /// None while it executes.
    machine: Option<HostVmPrototype>,
    version: CoreVersion,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.decode();
        write!(f, "{} {}", version.spec_name, version.spec_version)
    }
}

/// What a call of the runtime returned, and what it changed.
pub(crate) struct Returned {
    pub(crate) output: Vec<u8>,
    pub(crate) changes: TrieDiff,
}

/// A call that came to no end: there is no such function, or it panicked. With the
/// runtime's last words.
#[derive(Debug)]
pub(crate) struct Trap(pub(crate) String);

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Runtime {
    /// Compiles the runtime that is in the storage, as `:code`.
    pub(crate) fn of(storage: &Storage) -> Result<Self, Trap> {
        let code = storage.get(b":code");
        let code = code.ok_or_else(|| Trap("the chain has no runtime".to_owned()))?;
        let machine = HostVmPrototype::new(host::Config {
            module: code,
            heap_pages: DEFAULT_HEAP_PAGES,
            exec_hint: ExecHint::ValidateAndCompile,
            allow_unresolved_imports: false,
        })
        .map_err(|error| Trap(format!("this is no runtime: {error}")))?;
        Ok(Runtime {
            version: machine.runtime_version().clone(),
            machine: Some(machine),
        })
    }

    pub(crate) fn version(&self) -> &CoreVersion {
        &self.version
    }

    /// Calls a function of the runtime, over changes that are not in the storage yet.
    pub(crate) fn call(
        &mut self,
        storage: &Storage,
        function: &str,
        parameter: &[u8],
        changes: TrieDiff,
    ) -> Result<Returned, Trap> {
        let machine = self.machine.take();
        let machine = machine.ok_or_else(|| Trap("the runtime was lost".to_owned()))?;
        let started = runtime_call::run(runtime_call::Config {
            virtual_machine: machine,
            function_to_call: function,
            parameter: iter::once(parameter),
            storage_main_trie_changes: changes,
            storage_proof_size_behavior:
                runtime_call::StorageProofSizeBehavior::proof_recording_disabled(),
            max_log_level: LOG_LEVEL,
            calculate_trie_changes: false,
        });
        let mut call = match started {
            Ok(call) => call,
            Err((error, machine)) => {
                self.machine = Some(machine);
                return Err(Trap(format!("{function}: {error}")));
            }
        };
        let mut last_words = String::new();
        loop {
            call = match call {
                RuntimeCall::Finished(Ok(success)) => {
                    let output = success.virtual_machine.value().as_ref().to_vec();
                    self.machine = Some(success.virtual_machine.into_prototype());
                    let changes = success.storage_changes.into_main_trie_diff();
                    return Ok(Returned { output, changes });
                }
                RuntimeCall::Finished(Err(error)) => {
                    let what = format!("{function}: {} {last_words}", error.detail);
                    self.machine = Some(error.prototype);
                    return Err(Trap(what));
                }
                RuntimeCall::Offchain(context) => {
                    self.machine = Some(context.into_prototype());
                    let what = format!("{function}: asks for what only offchain workers have");
                    return Err(Trap(what));
                }
                RuntimeCall::LogEmit(log) => {
                    if let LogEmitInfo::Log { message, .. } = log.info() {
                        last_words = message.as_ref().to_owned();
                    }
                    log.resume()
                }
                other => answer(other, storage),
            }
        }
    }
}

/// What the runtime asks of its host.
fn answer(call: RuntimeCall, storage: &Storage) -> RuntimeCall {
    match call {
        RuntimeCall::StorageGet(get) => {
            // Contracts have child tries; a subnet has none.
            let is_main = get.child_trie().is_none();
            let value = storage.get(get.key().as_ref()).filter(|_| is_main);
            get.inject_value(value.map(|value| (iter::once(value), TrieEntryVersion::V1)))
        }
        RuntimeCall::NextKey(next) => {
            // Branches are only asked for to compute the root of the trie, which here
            // is made of what is asked, and is not the root.
            if next.branch_nodes() || next.child_trie().is_some() {
                return next.inject_key(None::<iter::Empty<_>>);
            }
            let from: Vec<u8> = nibbles_to_bytes_suffix_extend(next.key()).collect();
            let prefix: Vec<u8> = nibbles_to_bytes_suffix_extend(next.prefix()).collect();
            let key = storage.next_key(from, next.or_equal(), &prefix);
            next.inject_key(key.map(|key| bytes_to_nibbles(key.iter().copied())))
        }
        RuntimeCall::ClosestDescendantMerkleValue(value) => value.resume_unknown(),
        RuntimeCall::SignatureVerification(signature) => signature.verify_and_resume(),
        RuntimeCall::OffchainStorageSet(set) => set.resume(),
        other => other,
    }
}

//! A day of receipts, as a host makes them and as one that lies would.

use proctor_host::canonical::{Bits, digest};
use proctor_host::chain::Hotkey;
use proctor_host::receipts::bundle::{
    Bundle, BundleWriter, LeafProof, Manifest, Proofs, Why, Withheld, receipt_line,
};
use proctor_host::receipts::documents::{Document, Environment, LimitsDocument};
use proctor_host::receipts::transcript::Transcript;
use proctor_host::receipts::tree::Tree;
use proctor_host::receipts::{Head, Kind, Receipt, SignedHead, SignedReceipt, Signer, compress};
use proctor_host::sandbox::{CallContext, HostCall, Limits, Outcome};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write};

/// What a host keeps of a day.
#[derive(Clone)]
pub(crate) struct Day {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) withheld: BTreeMap<String, Why>,
    /// In their order; a receipt after those that it depends on.
    pub(crate) leaves: Vec<Receipt>,
    /// By id.
    pub(crate) solves: BTreeMap<String, Receipt>,
    /// Of other days.
    pub(crate) external: Vec<Receipt>,
    pub(crate) signer: Signer,
    pub(crate) day: String,
    /// Instead of the one that it should have.
    pub(crate) head: Option<SignedHead>,
    /// Likewise.
    pub(crate) proofs: Option<Proofs>,
}

/// A call that has ended.
pub(crate) struct Call<'a> {
    pub(crate) kind: Kind,
    pub(crate) component: &'a [u8],
    pub(crate) engine: &'a str,
    pub(crate) context: &'a CallContext,
    pub(crate) limits: Limits,
    /// The artifact that it ran, and what that could take.
    pub(crate) artifact: Option<(&'a [u8], Limits)>,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) outcome: Outcome,
    pub(crate) fuel: u64,
    pub(crate) calls: Vec<HostCall>,
    pub(crate) depends_on: Vec<String>,
}

pub(crate) fn signer(name: &str) -> Signer {
    Signer::from(Hotkey::from_uri(name).unwrap())
}

pub(crate) fn id(receipt: &Receipt) -> String {
    Receipt::id_of(&receipt.text().unwrap())
}

impl Day {
    pub(crate) fn new() -> Self {
        Day {
            blobs: BTreeMap::new(),
            withheld: BTreeMap::new(),
            leaves: Vec::new(),
            solves: BTreeMap::new(),
            external: Vec::new(),
            signer: signer("//Alice"),
            day: "2026-08-22".into(),
            head: None,
            proofs: None,
        }
    }

    /// Keeps bytes. Returns their digest.
    pub(crate) fn put(&mut self, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let name = digest(&bytes);
        self.blobs.insert(name.clone(), bytes);
        name
    }

    pub(crate) fn document<T: Document>(&self, name: &str) -> T {
        T::parse(std::str::from_utf8(&self.blobs[name]).unwrap()).unwrap()
    }

    /// Adds the receipt of a call. Returns its id.
    pub(crate) fn call(&mut self, call: Call<'_>) -> String {
        let nothing = digest(Environment::new([]).text().unwrap());
        let solver_limits = call.artifact.map(|(_, limits)| limits);
        let limits = LimitsDocument::new(call.limits, solver_limits)
            .text()
            .unwrap();
        let base = |kind, input: &str, output: &str| Receipt {
            engine: call.engine.to_owned(),
            environment: Some(nothing.clone()),
            logical_time: Bits(call.context.now),
            seed: call.context.seed.to_string(),
            ..Receipt::of_rule(kind, None, digest(input), digest(output))
        };
        let mut runs = BTreeMap::new();
        for (index, made) in call.calls.iter().enumerate() {
            let (Some((artifact, limits)), Some(record)) = (call.artifact, made.solve) else {
                continue;
            };
            let limits = LimitsDocument::new(limits, None).text().unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let (task, answer) = (text(&made.request), text(&made.response));
            let receipt = Receipt {
                component: Some(self.put(artifact)),
                fuel: record.fuel,
                limits: Some(self.put(limits)),
                outcome: record.outcome.code().to_owned(),
                ..base(Kind::Solve, &task, &answer)
            };
            self.put(task);
            self.put(answer);
            runs.insert(index, id(&receipt));
            self.solves.insert(id(&receipt), receipt);
        }
        let (mut blobs, mut index) = (BTreeMap::new(), 0..);
        let of = |_: &HostCall| runs.get(&index.next()?).cloned();
        let transcript = Transcript::new(&call.calls, of, &mut blobs);
        self.blobs.extend(blobs);
        let receipt = Receipt {
            challenge: Some("digits".into()),
            component: Some(self.put(call.component)),
            fuel: call.fuel,
            limits: Some(self.put(limits)),
            outcome: call.outcome.code().to_owned(),
            settings: Some(self.put(call.context.settings.as_bytes())),
            transcript: Some(self.put(transcript.text().unwrap())),
            ..base(call.kind, &call.input, &call.output)
        };
        self.put(call.input);
        self.put(call.output);
        let receipt = receipt.depending_on(runs.into_values().chain(call.depends_on));
        self.leaves.push(receipt);
        id(self.leaves.last().unwrap())
    }

    /// Adds the receipt of what the host's own rule made. Returns its id.
    pub(crate) fn rule(
        &mut self,
        kind: Kind,
        input: String,
        output: String,
        depends_on: Vec<String>,
    ) -> String {
        let challenge = (kind == Kind::Judge).then(|| "digits".to_owned());
        let (input, output) = (self.put(input), self.put(output));
        let receipt = Receipt::of_rule(kind, challenge, input, output).depending_on(depends_on);
        self.leaves.push(receipt);
        id(self.leaves.last().unwrap())
    }

    /// The first leaf of a kind.
    pub(crate) fn first(&self, kind: Kind) -> usize {
        self.leaves
            .iter()
            .position(|leaf| leaf.kind == kind)
            .unwrap()
    }

    /// Lies about a leaf, and signs whatever depends on it again.
    pub(crate) fn lie(&mut self, leaf: usize, lie: impl FnOnce(&mut Receipt)) {
        let before = id(&self.leaves[leaf]);
        lie(&mut self.leaves[leaf]);
        let after = id(&self.leaves[leaf]);
        let mut renamed = BTreeMap::from([(before, after)]);
        for index in leaf + 1..self.leaves.len() {
            let mut receipt = self.leaves[index].clone();
            let before = id(&receipt);
            // A vector's input names what it depends on.
            if receipt.kind == Kind::Vector {
                for (old, new) in &renamed {
                    let text = String::from_utf8(self.blobs[&receipt.input].clone()).unwrap();
                    receipt.input = self.put(text.replace(old, new));
                }
            }
            let new = |id: &String| renamed.get(id).unwrap_or(id).clone();
            let depends_on: Vec<String> = receipt.depends_on.iter().map(new).collect();
            self.leaves[index] = receipt.depending_on(depends_on);
            renamed.insert(before, id(&self.leaves[index]));
        }
    }

    /// Lies about a document of a leaf that others may name as well.
    pub(crate) fn lie_in(&mut self, document: &str, from: &str, to: &str) -> String {
        let text = String::from_utf8(self.blobs[document].clone()).unwrap();
        assert!(text.contains(from), "{text}");
        self.put(text.replacen(from, to, 1))
    }

    fn line(&self, receipt: &Receipt) -> SignedReceipt {
        let id = id(receipt);
        let is_signed = receipt.kind != Kind::Solve;
        SignedReceipt {
            signature: is_signed.then(|| self.signer.sign_receipt(&id)),
            signer: is_signed.then(|| self.signer.address().to_owned()),
            receipt: receipt.clone(),
            id,
        }
    }

    pub(crate) fn head(&self) -> SignedHead {
        let ids: Vec<String> = self.leaves.iter().map(id).collect();
        let head = Head::of(&self.day, &ids, None).unwrap();
        self.signer.sign_head(head).unwrap()
    }

    /// That receipts of other days are leaves of the day before.
    pub(crate) fn proofs(&self) -> Proofs {
        let ids: Vec<String> = self.external.iter().map(id).collect();
        if ids.is_empty() {
            return Proofs::new(Vec::new(), Vec::new());
        }
        let (day, tree) = ("2026-08-21", Tree::of(&ids).unwrap());
        let head = Head::of(day, &ids, None).unwrap();
        let leaves = (0..).zip(ids).map(|(leaf, id)| LeafProof {
            day: day.to_owned(),
            id,
            leaf,
            proof: tree.inclusion(leaf).unwrap(),
        });
        Proofs::new(vec![self.signer.sign_head(head).unwrap()], leaves.collect())
    }

    /// The bundle.
    pub(crate) fn bundle(&self) -> Bundle<BufReader<File>> {
        self.bundle_with(|_, _| {})
    }

    /// The bundle, with changes to its lines after they are signed.
    pub(crate) fn bundle_with(
        &self,
        change: impl FnOnce(&mut Vec<SignedReceipt>, &mut Vec<SignedReceipt>),
    ) -> Bundle<BufReader<File>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.bytes(change)).unwrap();
        Bundle::from_reader(BufReader::new(file)).unwrap()
    }

    /// The file of the bundle.
    pub(crate) fn bytes(
        &self,
        change: impl FnOnce(&mut Vec<SignedReceipt>, &mut Vec<SignedReceipt>),
    ) -> Vec<u8> {
        let withheld = self.withheld.iter().map(|(digest, why)| Withheld {
            digest: digest.clone(),
            why: *why,
        });
        let manifest = Manifest::new(Some(self.day.clone()), withheld.collect());
        let mut leaves: Vec<_> = self.leaves.iter().map(|leaf| self.line(leaf)).collect();
        let linked = self.solves.values().chain(&self.external);
        let mut linked: Vec<_> = linked.map(|receipt| self.line(receipt)).collect();
        change(&mut leaves, &mut linked);
        linked.sort_by(|a, b| a.id.cmp(&b.id));
        let mut writer = BundleWriter::new(Vec::new(), &manifest).unwrap();
        writer
            .head(&self.head.clone().unwrap_or_else(|| self.head()))
            .unwrap();
        let lines = |of: &[SignedReceipt]| -> Vec<String> {
            of.iter()
                .map(|receipt| receipt_line(receipt).unwrap())
                .collect()
        };
        for (number, lines) in [lines(&leaves), lines(&linked)].into_iter().enumerate() {
            let size = lines.iter().map(|line| line.len() as u64).sum();
            match number {
                0 => writer.receipts(size).unwrap(),
                _ => writer.linked(size).unwrap(),
            }
            for line in lines {
                writer.line(&line).unwrap();
            }
        }
        let proofs = self.proofs.clone().unwrap_or_else(|| self.proofs());
        writer.proofs(&proofs).unwrap();
        for (digest, bytes) in &self.blobs {
            if !self.withheld.contains_key(digest) {
                writer.blob(digest, &compress(bytes).unwrap()).unwrap();
            }
        }
        writer.finish().unwrap().0
    }
}

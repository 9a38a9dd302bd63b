//! The tree of a day's receipts, RFC 6962: its leaves are the 32 bytes of the receipts'
//! ids, in the order in which they became final.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;

/// A tree. It only grows.
pub struct Tree(MemoryBackedTree<Sha256, [u8; 32]>);

/// The most leaves of a tree that anything is proved of.
const MAX_SIZE: u64 = 1 << 62;

/// What is no hash of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not 64 hexadecimal digits")]
pub struct TreeError(pub String);

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("size", &self.size()).finish()
    }
}

impl Tree {
    /// The tree with these leaves: ids of receipts, in order. Costs two hashes for each.
    ///
    /// # Errors
    ///
    /// One is no id.
    pub fn of<T: AsRef<str>>(ids: impl IntoIterator<Item = T>) -> Result<Tree, TreeError> {
        let mut tree = MemoryBackedTree::new();
        for id in ids {
            tree.push(hash(id.as_ref())?);
        }
        Ok(Tree(tree))
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.len()
    }

    /// The root, 64 lower-case hexadecimal digits; of the empty tree the digest of
    /// nothing.
    #[must_use]
    pub fn root(&self) -> String {
        hex::encode(self.0.root().as_bytes())
    }

    /// The audit path of a leaf, from the leaf up; none if there is no such leaf.
    #[must_use]
    pub fn inclusion(&self, leaf: u64) -> Option<Vec<String>> {
        let index = usize::try_from(leaf).ok().filter(|_| leaf < self.size())?;
        Some(hashes(self.0.prove_inclusion(index).as_bytes()))
    }

    /// The proof that the tree of the first `size` leaves is the beginning of this one;
    /// none if it is not, or is empty.
    #[must_use]
    pub fn consistency(&self, size: u64) -> Option<Vec<String>> {
        let added = self.size().checked_sub(size).filter(|_| size > 0)?;
        let proof = self.0.prove_consistency(usize::try_from(added).ok()?);
        Some(hashes(proof.as_bytes()))
    }
}

/// Whether a receipt is a leaf of the tree with this root and size. No tree has more than
/// 2⁶² leaves.
///
/// # Errors
///
/// What is no hash.
pub fn is_included(
    id: &str,
    leaf: u64,
    (root, size): (&str, u64),
    proof: &[String],
) -> Result<bool, TreeError> {
    // What calculates with places in a tree does so in 64 bits.
    if leaf >= size || size > MAX_SIZE {
        return Ok(false);
    }
    let proof = InclusionProof::<Sha256>::try_from_bytes(concatenated(proof)?);
    let (root, leaf_hash) = (root_hash(root, size)?, hash(id)?);
    Ok(proof.is_ok_and(|proof| root.verify_inclusion(&leaf_hash, leaf, &proof).is_ok()))
}

/// Whether the tree with one root and size is the beginning of that with another.
///
/// # Errors
///
/// What is no hash.
pub fn is_consistent(
    (old_root, old_size): (&str, u64),
    (root, size): (&str, u64),
    proof: &[String],
) -> Result<bool, TreeError> {
    if old_size == 0 || old_size > size || size > MAX_SIZE {
        return Ok(false);
    }
    let proof = ConsistencyProof::<Sha256>::try_from_bytes(concatenated(proof)?);
    let (old, new) = (root_hash(old_root, old_size)?, root_hash(root, size)?);
    Ok(proof.is_ok_and(|proof| new.verify_consistency(&old, &proof).is_ok()))
}

fn root_hash(root: &str, size: u64) -> Result<RootHash<Sha256>, TreeError> {
    Ok(RootHash::new(hash(root)?.into(), size))
}

fn hash(text: &str) -> Result<[u8; 32], TreeError> {
    let mut bytes = [0; 32];
    let decoded = hex::decode_to_slice(text, &mut bytes);
    decoded.map_err(|_| TreeError(text.to_owned()))?;
    Ok(bytes)
}

fn concatenated(hashes: &[String]) -> Result<Vec<u8>, TreeError> {
    let hashes: Result<Vec<[u8; 32]>, TreeError> = hashes.iter().map(|text| hash(text)).collect();
    Ok(hashes?.concat())
}

fn hashes(bytes: &[u8]) -> Vec<String> {
    bytes.chunks(32).map(hex::encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::digest;
    use proptest::prelude::*;

    fn ids(count: u64) -> Vec<String> {
        (0..count).map(|i| digest(i.to_string())).collect()
    }

    /// RFC 6962, 2.1: the hash of an empty list, of a leaf, and of two.
    #[test]
    fn the_root_is_that_of_rfc_6962() {
        let empty = Tree::of(ids(0)).unwrap();
        assert_eq!(empty.root(), digest(""));
        let leaf = |id: &str| {
            let bytes = [&[0][..], &hex::decode(id).unwrap()].concat();
            hex::decode(digest(bytes)).unwrap()
        };
        let ids = ids(2);
        let one = Tree::of(&ids[..1]).unwrap();
        assert_eq!(one.root(), hex::encode(leaf(&ids[0])));
        let both = [&[1][..], &leaf(&ids[0]), &leaf(&ids[1])].concat();
        assert_eq!(Tree::of(&ids).unwrap().root(), digest(both));
        assert!(Tree::of(["00"]).is_err());
    }

    /// A place or a size that no tree has is as wrong as any other.
    #[test]
    fn no_place_and_no_size_is_too_large_to_be_refused() {
        let (id, root) = (digest("a"), digest("b"));
        let large = [1 << 61, 1 << 62, 1 << 63, u64::MAX - 1, u64::MAX];
        for of in large.into_iter().chain(0..3) {
            for size in large.into_iter().chain(0..3) {
                for hashes in [0, 1, 61, 62, 63, 64, 65] {
                    let proof = vec![id.clone(); hashes];
                    let tree = (root.as_str(), size);
                    assert!(!is_included(&id, of, tree, &proof).unwrap());
                    assert!(!is_consistent((&id, of), tree, &proof).unwrap());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn proofs_hold_for_what_they_are_of_and_for_nothing_else(
            size in 1_u64..40,
            leaf in 0_u64..40,
            old in 1_u64..40,
        ) {
            let (leaf, old) = (leaf % size, old.min(size));
            let ids = ids(size);
            let tree = Tree::of(&ids).unwrap();
            let root = tree.root();
            let proof = tree.inclusion(leaf).unwrap();
            let id = &ids[usize::try_from(leaf).unwrap()];
            prop_assert!(is_included(id, leaf, (&root, size), &proof).unwrap());
            prop_assert!(!is_included(&digest("x"), leaf, (&root, size), &proof).unwrap());
            for changed in 0..proof.len() {
                let mut proof = proof.clone();
                proof[changed] = digest("x");
                prop_assert!(!is_included(id, leaf, (&root, size), &proof).unwrap());
            }
            let before = Tree::of(&ids[..usize::try_from(old).unwrap()]).unwrap();
            let old_root = before.root();
            let proof = tree.consistency(old).unwrap();
            prop_assert!(is_consistent((&old_root, old), (&root, size), &proof).unwrap());
            prop_assert!(!is_consistent((&digest("x"), old), (&root, size), &proof).unwrap());
            prop_assert_eq!(tree.inclusion(size), None);
            prop_assert_eq!(tree.consistency(size + 1), None);
        }
    }
}

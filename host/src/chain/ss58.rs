//! Addresses: public keys in SS58, with the prefix that Bittensor uses, 42.

use subxt_utils_accountid32::AccountId32;

/// The address of a public key.
pub(super) fn encode(public: &[u8; 32]) -> String {
    AccountId32::from(*public).to_string()
}

/// The public key of an address; `None` if it is not one of this prefix with a
/// right checksum. Each key has one address.
pub(crate) fn decode(address: &str) -> Option<[u8; 32]> {
    let account: AccountId32 = address.parse().ok()?;
    (account.to_string() == address).then_some(*account.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn known_addresses_are_written_and_read() {
        let known = [
            (
                "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
                ALICE,
            ),
            (
                "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48",
                "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
            ),
            (
                "0000000000000000000000000000000000000000000000000000000000000000",
                "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM",
            ),
            (
                "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "5HrN7fHLXWcFiXPwwtq2EkSGns9eMt5P7SpeTPewumZy6ftb",
            ),
        ];
        for (public, address) in known {
            let public: [u8; 32] = hex::decode(public).unwrap().try_into().unwrap();
            assert_eq!(encode(&public), address);
            assert_eq!(decode(address), Some(public));
        }
    }

    #[test]
    fn what_is_no_address_of_this_prefix_is_refused() {
        let bad = [
            "",
            // Checksum.
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ",
            // Digits that do not exist.
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKut0Y",
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQ\u{0}",
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKuté",
            // Too short, too long, too great a number.
            "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQ",
            "15GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
            "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
            // Alice on Polkadot, prefix 0, and on Kusama, prefix 2.
            "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
            "HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F",
        ];
        for address in bad {
            assert_eq!(decode(address), None, "{address}");
        }
    }

    proptest! {
        #[test]
        fn every_key_has_one_address_of_one_length(public: [u8; 32]) {
            let address = encode(&public);
            prop_assert_eq!(decode(&address), Some(public));
        }

        #[test]
        fn any_text_is_an_address_or_not(text in "\\PC{48}") {
            prop_assert!(decode(&text).is_none_or(|public| encode(&public) == text));
        }
    }
}

//! Signatures on the edges of Ed25519, where verifiers differ.
//!
//! Made outside this library from the equations of RFC 8032, with seed 07 repeated 32 times for the honest
//! key, all over the PAE of the payload `lotproof` and the payload type of statements.

/// What it is, the key, the signature, and whether it counts.
pub(crate) const ROWS: &[(&str, &str, &str, bool)] = &[
    (
        "as RFC 8032 signs",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "78e5229941aa159a9ed90b9350e7186da7fd5620653e73af725b997e83125d7365bfa717536cb178aac716051b8b6c67dbf28a5c58358887b086171b958cff02",
        true,
    ),
    (
        "S + L",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "78e5229941aa159a9ed90b9350e7186da7fd5620653e73af725b997e83125d7352939d746dcfc3d080640ea8f9844b7cdbf28a5c58358887b086171b958cff12",
        false,
    ),
    (
        "R with a part of order 8: the equation with cofactor holds, the one without does not",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "2e32eabb5475c2aedacac90cdd186ca1887735bfa975e22dc9e497f5a16f7060bfb20ff4136e9a076011e91b570d10f2f96fd88a4f22c2f00a2953aae8dca60b",
        false,
    ),
    (
        "A with a part of order 8, k a multiple of 8: the equation without cofactor holds",
        "1f4f580e73ac208f06760190e9edc6f5916775dabd9c1cdca393175c2d6d1083",
        "78e5229941aa159a9ed90b9350e7186da7fd5620653e73af725b997e83125d737267363538c389826d9771d82c0ca0b39cc955588471d53fe0ca0d31c5586b03",
        true,
    ),
    (
        "A with a part of order 8, k no multiple of 8: only the one with cofactor holds",
        "1f4f580e73ac208f06760190e9edc6f5916775dabd9c1cdca393175c2d6d1083",
        "5d6d09ba9a6e8fc165314310e892459f6796b625576813b4fa6b3c1d51854a9c48b17423d6a77f44aac9d4d1c5dd2eadaf364cb1797b3c71cac9352478700f03",
        false,
    ),
    (
        "R of small order, equation holds",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "01000000000000000000000000000000000000000000000000000000000000007c0c59e60265314767b0e20cbd7e47c12b18af95a8dd26a7835420e959e6890b",
        false,
    ),
    (
        "A the identity, equation holds",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "78e5229941aa159a9ed90b9350e7186da7fd5620653e73af725b997e83125d7324ff8dfd670f04ee18ad618ff91adf905f3d744c4b93ef3a3eec12adba7f6806",
        false,
    ),
    (
        "A the identity with y = p + 1",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "78e5229941aa159a9ed90b9350e7186da7fd5620653e73af725b997e83125d7324ff8dfd670f04ee18ad618ff91adf905f3d744c4b93ef3a3eec12adba7f6806",
        false,
    ),
    (
        "A no point",
        "0200000000000000000000000000000000000000000000000000000000000000",
        "78e5229941aa159a9ed90b9350e7186da7fd5620653e73af725b997e83125d7324ff8dfd670f04ee18ad618ff91adf905f3d744c4b93ef3a3eec12adba7f6806",
        false,
    ),
    (
        "R no point",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "02000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        false,
    ),
    (
        "R with y = p + 3",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f0000000000000000000000000000000000000000000000000000000000000000",
        false,
    ),
    (
        "S zero, R zero",
        "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        false,
    ),
];

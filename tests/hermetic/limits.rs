//! `docs/limits.md` against the code: every limit with its default, and nothing that is not one.

use std::{collections::BTreeMap, fs, path::Path};

use lotproof::{
    gateway::FaultCode,
    shell::{gateway, http, nats},
};

/// Where options are declared.
const SOURCES: [&str; 3] = [
    "services/ledger/src/main.rs",
    "src/shell/gateway/arguments.rs",
    "src/shell/http/arguments.rs",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file of the repository")
}

/// The rows of the table: limit, default, option, and what comes beyond it.
fn rows() -> Vec<[String; 4]> {
    let page = read("docs/limits.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        <[&str; 4]>::try_from(cells)
            .expect("four cells")
            .map(str::to_owned)
    });
    rows.filter(|[limit, ..]| limit != "limit").collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_limit_is_in_the_table_with_its_default() {
    let of_code = [
        http::limits(),
        gateway::limits(),
        nats::limits(),
        lotproof_ledger::limits(),
        lotproof_compliance::limits(),
    ];
    let of_code: Vec<(String, u64)> = of_code
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let told: Vec<(String, u64)> = rows()
        .into_iter()
        .map(|[limit, default, ..]| {
            let number = default.replace(',', "").parse();
            (
                limit.clone(),
                number.unwrap_or_else(|_| panic!("{limit}: {default} is no number")),
            )
        })
        .collect();
    let (by_name, told_by_name): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (of_code.iter().cloned().collect(), told.iter().cloned().collect());
    assert_eq!(by_name.len(), of_code.len(), "a name twice in the code");
    assert_eq!(told_by_name.len(), told.len(), "a row twice in the table");
    assert_eq!(told_by_name, by_name);
}

#[test]
fn every_option_and_code_in_the_table_exists() {
    let sources = SOURCES.map(read).concat();
    let problems = [
        read("services/compliance/src/problem.rs"),
        read("src/shell/http/server.rs"),
        read("services/ledger/src/places.rs"),
        read("src/code.rs"),
    ]
    .concat();
    for [limit, _, option, beyond] in rows() {
        for option in quoted(&option) {
            let field = option.strip_prefix("--").expect("an option").replace('-', "_");
            assert!(
                sources.contains(&format!("{field}:")),
                "{limit}: no option {option}"
            );
        }
        for code in
            quoted(&beyond).filter(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        {
            let is_code = FaultCode::ALL.iter().any(|fault| fault.name() == code)
                || problems.contains(&format!("\"{code}\""))
                || problems.contains(&format!("\\\"{code}\\\""));
            assert!(is_code, "{limit}: no code {code}");
        }
    }
}

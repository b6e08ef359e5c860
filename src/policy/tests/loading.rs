//! What the loader refuses, and how it says so.

use crate::policy::{FaultKind, Mode, in_words, load_list, load_pack, needs};

const PACK: &str = include_str!("../../../policies/us-ndaa-fy2024-s154.toml");

fn refusal(text: &str, mode: Mode) -> String {
    load_pack("p.toml", text, mode).map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
}

/// The s.154 pack with one thing changed.
fn changed(from: &str, to: &str) -> String {
    assert!(PACK.contains(from), "{from} is not in the pack");
    PACK.replacen(from, to, 1)
}

#[test]
fn every_fault_is_named_by_file_and_key() {
    let rows = [
        ("title = ", "titel = ", "unknown key pack.titel"),
        (
            "[select.battery]\n",
            "[select.battery]\nfoo = 1\n",
            "unknown key select.battery.foo",
        ),
        ("[clock]", "[clocks]\n[clock]", "unknown key clocks"),
        ("id = \"us-ndaa-fy2024-s154\"\n", "", "pack.id is missing"),
        (
            "from = \"self\"",
            "from = \"here\"",
            "select.battery.from must be self, inputs or ancestors",
        ),
        (
            "text_verified = false\nsub",
            "text_verified = \"no\"\nsub",
            "pack.text_verified must be true or false",
        ),
        (
            "value = \"0.50\", path",
            "value = 0.5, path",
            "class.affiliate_of_named.owned.value must be a string",
        ),
        (
            "value = \"0.50\", path",
            "value = \"5e-1\", path",
            "class.affiliate_of_named.owned.value must be a decimal in a string",
        ),
        (
            "[class.counted]\n",
            "[class.counted]\nnot = \"named\"\n",
            "class.counted must have exactly one operator, has 2",
        ),
        (
            "any = [\"named\", \"affiliate_as_named\"]",
            "",
            "class.counted must have exactly one operator, has 0",
        ),
        (
            "any = [\"named\", \"affiliate_as_named\"]",
            "some = [\"named\"]",
            "unknown key class.counted.some",
        ),
        (
            "[\"named\", \"affiliate_as_named\"]",
            "[\"named\", \"affiliated\"]",
            "class.counted names class.affiliated, which is not defined",
        ),
        (
            "in = \"battery\"",
            "in = \"batteries\"",
            "names select.batteries, which is not defined",
        ),
        (
            "fails_if = \"deemed_produced\"",
            "fails_if = \"deemed\"",
            "rule[0] names expr.deemed",
        ),
        (
            "waivers = [\"assessment\"",
            "waivers = [\"assess\"",
            "rule[0] names waiver.assess",
        ),
        (
            "when_param = { affiliates = \"as_named\" }",
            "when_param = { affiliates = \"maybe\" }",
            "class.affiliate_as_named must be one of indeterminate, as_named, not_named",
        ),
        (
            "[class.named]\nlisted = { list = \"s154\", clock = \"trigger\" }",
            "[class.named]\nany = [\"counted\"]",
            "class.named -> class.counted -> class.named refer to each other in a circle",
        ),
        (
            "fails_if = \"deemed_produced\"",
            "fails_if = \"operator_counted\"",
            "expr.operator_counted is about one node of the graph, and rule.a gives it none",
        ),
        (
            "cmp = \"gt\", value = \"0.50\" }",
            "cmp = \"gt\", value = \"0.50\", denominator = \"battery\" }",
            "not implemented",
        ),
        (
            "[select.battery]\nfrom = \"self\"",
            "[select.battery]\nfrom = \"context\"",
            "not implemented",
        ),
        (
            "[clock]",
            "[reset.recycled]\nat_steps = [\"hydro\"]\n[clock]",
            "reset is not implemented",
        ),
        (
            "[clock]",
            "[subject]\ngroup = [\"model\"]\n[clock]",
            "subject is not implemented",
        ),
        (
            "default = \"cost\"",
            "default = \"price\"",
            "param.majority_measure.default must be one of the allowed",
        ),
        (
            "allowed = [\"count\", ",
            "allowed = [\"length\", ",
            "param.majority_measure.allowed must be measures, not length",
        ),
        (
            "obligation = \"context.",
            "obligated = \"context.",
            "clock.trigger must be one of obligation, expenditure",
        ),
        (
            "from = 2027-10-01",
            "from = \"2027-10-01\"",
            "rule[0].effective[0].from must be a date",
        ),
        (
            "provenance-rules/1",
            "provenance-rules/9",
            "schema must be provenance-rules/1",
        ),
        (
            "fails_if = \"deemed_produced\"\n",
            "",
            "rule[0].fails_if must be given, or passes_if",
        ),
        (
            "file = \"lists/us-ndaa-154.toml\"",
            "file = \"lists\"",
            "list.s154.file must be the path of a .toml file",
        ),
        (
            "kinds = [\"cell\", \"bms\"",
            "kinds = [\"cel\", \"bms\"",
            "select.components.kinds[0] says cel, which is no kind of the vocabulary",
        ),
        (
            "subject_kinds = [\"cell\"",
            "subject_kinds = [\"battery\"",
            "pack.subject_kinds[0] says battery, which is no kind",
        ),
        (
            "from = \"self\"",
            "from = \"self\"\nsteps = [\"assemble_pack\", \"assemble\"]",
            "select.battery.steps[1] says assemble, which is no step",
        ),
        (
            "path = \"buyer.agency\"",
            "path = \"buyer.agncy\"",
            "expr.dod_purchase.context.path says buyer.agncy, which is no field of the context",
        ),
        (
            "eq = \"US-DOD\"",
            "eq = \"DoD\"",
            "expr.dod_purchase.context.eq says DoD, which is no value of that field of the vocabulary (NONE-US-FEDERAL",
        ),
        (
            "\"context.obligation_date\"",
            "\"context.end_item_assembler\"",
            "clock.trigger.obligation must be a field that takes a date",
        ),
        (
            "role = \"end_item_assembler\"",
            "role = \"assembler\"",
            "context_party.role says assembler, which is no field of the context of the vocabulary (end_item_assembler",
        ),
        (
            "us-ndaa-154.toml",
            "us-ndaa-145.toml",
            "list.s154.file says us-ndaa-145, which is no list",
        ),
        (
            "custody = [\"identity_preserved\"",
            "custody = [\"identity\"",
            "pack.custody[0] must be identity_preserved",
        ),
        (
            "[select.battery]",
            "[set.covered]\nvalues = [\"China\"]\n[select.battery]",
            "set.covered.values[0] must be an ISO 3166 code",
        ),
        ("[pack]", "[pack", "not TOML"),
    ];
    for (from, to, expected) in rows {
        let message = refusal(&changed(from, to), Mode::Lenient);
        assert!(
            message.starts_with("p.toml:") && message.contains(expected),
            "{to:?}: {message}"
        );
    }
}

#[test]
fn all_faults_are_reported_each_on_its_line() {
    let mut text = PACK.to_owned();
    for (from, to) in [
        ("title = ", "titel = "),
        ("kinds = [\"cell\", \"bms\"", "kinds = [\"cel\", \"bmss\""),
        (
            "cmp = \"gt\", value = \"0.50\" }",
            "cmp = \"over\", value = 0.5 }",
        ),
        ("role = \"principal\"", "role = \"client\""),
        (
            "[expr.seller_counted]\n",
            "[expr.seller_counted]\nnot = \"dod_purchase\"\n",
        ),
        (
            "any = [\"counted\", \"affiliate_in_doubt\"]",
            "any = [\"count\", \"affiliates\"]",
        ),
        (
            "fails_if = \"deemed_produced\"",
            "fails_if = \"deemed\"\nseverity = 1",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let error = load_pack("p.toml", &text, Mode::Lenient).unwrap_err();
    let line_of = |part: &str| 1 + text.lines().position(|line| line.contains(part)).expect(part);
    let found: Vec<(usize, &str)> = error
        .faults
        .iter()
        .map(|fault| (fault.line, fault.what.key()))
        .collect();
    assert_eq!(
        found,
        [
            (line_of("titel"), "pack.titel"),
            (line_of("\"cel\""), "select.components.kinds[0]"),
            (line_of("\"cel\""), "select.components.kinds[1]"),
            (
                line_of("[class.counted_or_in_doubt]"),
                "class.counted_or_in_doubt"
            ),
            (
                line_of("[class.counted_or_in_doubt]"),
                "class.counted_or_in_doubt"
            ),
            (line_of("\"client\""), "expr.principal_counted.party.role"),
            (line_of("[expr.seller_counted]"), "expr.seller_counted"),
            (line_of("\"over\""), "expr.majority_from_counted.share.value"),
            (line_of("\"over\""), "expr.majority_from_counted.share.cmp"),
            (line_of("[[rule]]"), "rule[0]"),
            (line_of("severity"), "rule[0].severity"),
        ],
        "{error}"
    );
}

#[test]
fn what_nobody_says_was_checked_was_not() {
    let unsaid = changed("text_verified = false\n", "");
    assert!(!load_pack("p.toml", &unsaid, Mode::Lenient).unwrap().text_verified);
}

#[test]
fn strict_mode_refuses_rows_that_are_not_verified() {
    assert!(load_pack("p.toml", PACK, Mode::Lenient).is_ok());
    let message = refusal(PACK, Mode::Strict);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(
        lines[0].ends_with("waiver.assessment is not verified, and strict mode takes only verified rows")
    );
    assert!(lines[1].contains("waiver.research is not verified"));
    let verified = PACK.replace("verified = false", "verified = true");
    assert!(load_pack("p.toml", &verified, Mode::Strict).is_ok());
}

#[test]
fn a_pack_of_a_megabyte_is_not_even_parsed() {
    let long = " ".repeat(crate::policy::PACK_LEN_MAX + 1);
    assert!(matches!(
        load_pack("p.toml", &long, Mode::Lenient),
        Err(error) if matches!(error.faults[0].what, FaultKind::TooLong { .. })
    ));
}

#[test]
fn the_lists_of_the_repository_load_and_name_whom_they_should() {
    let list = load_list("l", include_str!("../../../policies/lists/us-ndaa-154.toml")).unwrap();
    assert_eq!(
        (list.entries.len(), list.complete, list.fixture),
        (6, true, false)
    );
    let fixture = load_list("l", include_str!("../../../policies/lists/fixture-154.toml")).unwrap();
    assert!(fixture.fixture && fixture.list == list.list);
    let wrong = "schema = \"provenance-list/1\"\nlist = \"x\"\n";
    assert_eq!(
        load_list("l.toml", wrong).unwrap_err().to_string(),
        "l.toml:1: title is missing\n\
         l.toml:1: source is missing\n\
         l.toml:1: edition is missing\n\
         l.toml:1: effective_from is missing\n\
         l.toml:2: list says x, which is no list of the vocabulary (covered-governments, us-dod-1260h, us-fasc, \
         us-fcc-covered, us-feoc-d-e, us-fto, us-ndaa-154, us-ofac-sdn, us-uflpa)"
    );
}

#[test]
fn a_pack_is_told_in_words_with_every_definition_once_and_in_full() {
    let pack = load_pack("p.toml", PACK, Mode::Lenient).unwrap();
    let told = in_words(&pack);
    for name in pack.exprs.keys() {
        let full = told
            .lines()
            .filter(|line| line.trim_start().starts_with(&format!("{name}:")));
        assert_eq!(full.count(), 1, "{name}: {told}");
    }
    for needle in [
        "NOT checked against the text of the law",
        "in force from 2027-10-01",
        "more than 0.5 by majority_measure (an open reading) of components",
        "on the list us-ndaa-154 with aliases, successors, at the date that counts",
    ] {
        assert!(told.contains(needle), "{needle}: {told}");
    }
    let needed = needs(&pack);
    assert_eq!(
        needed["whoever used a lot"],
        [
            "from whom he bought it, with the claim that these are all",
            "how much of it went in, by count, cost, mass"
        ]
    );
    assert_eq!(needed["the asker"].len(), 4);
}

#[test]
fn the_pack_says_what_it_reads_of_the_context() {
    let pack = load_pack("p.toml", PACK, Mode::Lenient).unwrap();
    let fields = |set: std::collections::BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
    assert_eq!(
        fields(pack.context_fields()),
        [
            "buyer.agency",
            "end_item_assembler",
            "expenditure_date",
            "obligation_date"
        ]
    );
    assert_eq!(
        fields(pack.required_context_fields()),
        ["buyer.agency", "obligation_date"]
    );
}

//! EPCIS documents: oddities around the events, others' documents, the same event again.

use crate::chain::holds;

/// Each oddity is named by its path, and the event is taken all the same.
#[test]
fn oddities_of_a_document_are_named_by_path() {
    for (file, lot, findings) in [
        ("creationDate-bad", "HDR4", "bad_time at /creationDate"),
        ("id-blank", "HDR9", "not_uri at /id"),
        ("isA", "HDR7", "missing_member at /type | unknown_member at /isA"),
        ("no-context", "HDR8", "missing_member at /@context"),
        ("no-creationDate", "HDR3", "missing_member at /creationDate"),
        ("schemaVersion-1.2", "HDR5", "schema_version at /schemaVersion"),
        ("schemaVersion-number", "HDR6", "schema_version at /schemaVersion"),
        (
            "sender-object",
            "HDR2",
            "wrong_type at /receiver | wrong_type at /sender",
        ),
        ("unprefixed-member", "HDR1", "unknown_member at /conformance"),
    ] {
        holds(
            &format!("cam file 21-{file}.epcis.jsonld"),
            &format!("findings = {findings}\n refused = 0\n made cam1/{lot} = 1 kg"),
        );
    }
}

#[test]
fn movements_in_other_pairs_of_words_are_understood_or_named() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:90KGM readPoint=cam
         cam s1 03-02 ObjectEvent action=ADD bizStep=shipping quantityList=cam1/A:30KGM readPoint=cam destination=cell
         cam s2 03-02 TransactionEvent action=ADD bizStep=shipping quantityList=cam1/A:30KGM readPoint=cam destination=cell desadv=D7
         cam s3 03-02 ObjectEvent action=DELETE bizStep=shipping quantityList=cam1/A:30KGM readPoint=cam destination=cell
         cell r1 03-03 ObjectEvent action=ADD bizStep=receiving quantityList=cam1/A:30KGM readPoint=cell source=cam
         cell pk 03-04 ObjectEvent action=ADD bizStep=packing quantityList=cam1/A:30KGM readPoint=cell",
        "findings = observed_only at /bizStep | unusual_action at /action | unusual_action at /action | unusual_action at /action
         found = none
         stock cam1/A = cam>cell 60 kg | cell 30 kg",
    );
}

#[test]
fn a_reported_event_that_arrives_again_is_known_and_the_new_one_published() {
    holds(
        "rec report inputs/28-1-reported.epcis.jsonld
         rec report inputs/28-2-reported-again-with-one-more.epcis.jsonld",
        "refused = 0
         found = none
         made cam1/REP1 = 1 kg
         made cam1/REP2 = 1 kg
         reported cam1/REP1 = rec
         reported cam1/REP2 = rec
         moves cam1/REP1 = commissioned cam 1 kg at cam reported by rec",
    );
}

#[test]
fn two_importers_of_one_document_report_one_making() {
    holds(
        "rec report inputs/28-1-reported.epcis.jsonld
         car report inputs/28-2-reported-again-with-one-more.epcis.jsonld",
        "refused = 0
         found = none
         made cam1/REP1 = 1 kg
         reported cam1/REP1 = car | rec",
    );
}

#[test]
fn the_maker_who_says_so_himself_replaces_the_report() {
    holds(
        "rec report inputs/28-1-reported.epcis.jsonld
         cam mk 03-01 commissioned facility=cam items=cam1/REP1:1KGM",
        "found = none
         made cam1/REP1 = 1 kg
         by cam1/REP1 = cam
         reported cam1/REP1 = none",
    );
}

#[test]
fn another_senders_event_under_the_same_id_is_refused_and_touches_nothing() {
    holds(
        "rec report epcis-min/a.jsonld
         rec report epcis-min/b.jsonld",
        "refused = 1
         facts https://id.gs1.org/01/09521000000018/10/LOT-OF-A = urn:uuid:aaaaaaaa-0000-4000-8000-000000000001
         made https://id.gs1.org/01/09521000000018/10/LOT-OF-A = 100 kg",
    );
}

#[test]
fn a_claimed_sender_is_told_as_reported() {
    holds(
        "rec report epcis-min/claim.jsonld",
        "found = none
         reported https://id.gs1.org/01/09521000000025/10/CLAIM-OUT = rec
         moves https://id.gs1.org/01/09521000000025/10/CLAIM-OUT = transformed claimed 9 kg at https://id.gs1.org/414/9521230019996 reported by rec",
    );
}

#[test]
fn events_without_ids_are_known_again() {
    holds(
        "rec report epcis-min/dupA.jsonld
         rec report epcis-min/dupT.jsonld
         rec report epcis-min/dupA.jsonld
         rec report epcis-min/dupT.jsonld",
        "refused = 0
         made https://id.gs1.org/01/09521000000018/10/DUP-IN = 100 kg
         made https://id.gs1.org/01/09521000000025/10/DUP-OUT = 90 kg
         up https://id.gs1.org/01/09521000000025/10/DUP-OUT = https://id.gs1.org/01/09521000000018/10/DUP-IN",
    );
}

#[test]
fn events_without_ids_are_known_again_when_the_document_is_reformatted() {
    let mut chain = crate::chain::Chain::new();
    for name in ["dupA", "dupT"] {
        let bytes = crate::chain::file(&format!("epcis-min/{name}.jsonld"));
        let value: serde_json::Value = serde_json::from_slice(&bytes).expect("a document is JSON");
        chain.report("rec", &bytes);
        chain.report(
            "rec",
            &serde_json::to_vec_pretty(&value).expect("a document is JSON"),
        );
    }
    let asked = "refused = \n made https://id.gs1.org/01/09521000000018/10/DUP-IN =";
    let expected = [
        "refused = 0",
        "made https://id.gs1.org/01/09521000000018/10/DUP-IN = 100 kg",
    ];
    assert_eq!(crate::chain::answers(&chain, asked), expected);
}

#[test]
fn the_same_event_of_ones_own_in_two_documents_is_one() {
    holds(
        "cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:100KGM readPoint=cam
         cam mk 03-01 ObjectEvent action=ADD bizStep=commissioning quantityList=cam1/A:100KGM readPoint=cam",
        "refused = 0
         made cam1/A = 100 kg",
    );
}

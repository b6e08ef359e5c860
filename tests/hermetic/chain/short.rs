//! Short names for the identifiers of the cases, both ways.

/// Where every identifier of the cases begins.
const GS1: &str = "https://id.gs1.org/";

/// Location numbers of the parties, as the register has them.
const GLNS: [&str; 8] = [
    "9521239100109",
    "9521239200106",
    "9521239300103",
    "9521239400100",
    "9521239500107",
    "9521239600104",
    "9521239700101",
    "9521239800108",
];

/// Facilities of the register: a party's first one has the party's short name.
const FACILITIES: [(&str, &str); 9] = [
    ("mine", "9521239010019"),
    ("cam", "9521239020018"),
    ("cam'", "9521239021015"),
    ("cell", "9521239030017"),
    ("cell'", "9521239031014"),
    ("pack", "9521239040016"),
    ("rec", "9521239050015"),
    ("car", "9521239060014"),
    ("tnt", "9521239080013"),
];

/// A party by its short name.
pub(super) fn party(name: &str) -> String {
    let others = super::OTHERS.iter().find(|(other, ..)| *other == name);
    if let Some((_, party, _)) = others {
        return (*party).to_owned();
    }
    format!("{GS1}417/{}", GLNS[digit(name) - 1])
}

/// A facility: `cam` for a party's first one, `cam'` for its second.
pub(super) fn facility(name: &str) -> String {
    let found = FACILITIES.iter().find(|(facility, _)| *facility == name);
    format!(
        "{GS1}414/{}",
        found.unwrap_or_else(|| panic!("{name} is no facility")).1
    )
}

/// A product, lot or serial: `cam1`, `cam1/A`, `cam1#S`.
pub(super) fn thing(name: &str) -> String {
    if name.starts_with("urn:") {
        return name.to_owned();
    }
    let end = name.find(['/', '#']).unwrap_or(name.len());
    let (class, rest) = name.split_at(end);
    let (party, item) = class.split_at(class.len() - 1);
    let gtin = with_check(&format!("09521239{}000{item}", digit(party)));
    let rest = match rest.split_at(rest.len().min(1)) {
        ("/", lot) => format!("/10/{lot}"),
        ("#", serial) => format!("/21/{serial}"),
        _ => String::new(),
    };
    format!("{GS1}01/{gtin}{rest}")
}

/// A despatch advice or recall of the party's.
pub(super) fn document(party: &str, number: &str) -> String {
    format!(
        "{GS1}253/{}{number}",
        with_check(&format!("9521239{}0001", digit(party)))
    )
}

fn digit(party: &str) -> usize {
    let place = super::PARTIES.iter().position(|name| *name == party);
    place.unwrap_or_else(|| panic!("{party} is no party")) + 1
}

/// The digits with their GS1 check digit.
fn with_check(digits: &str) -> String {
    let weighted = digits.bytes().rev().zip([3, 1].into_iter().cycle());
    let sum: u32 = weighted
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// A text with all identifiers of the cases in short.
pub(super) fn shorten(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(GS1) {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let is_end = |at: &usize| {
            from[*at..].starts_with([' ', ';', ',', '"', '>', '?', ':', '|']) || from[*at..].starts_with("..")
        };
        let end = (GS1.len()..from.len()).find(is_end).unwrap_or(from.len());
        let (identifier, after) = from.split_at(end);
        out.push_str(&shortened(identifier));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn shortened(identifier: &str) -> String {
    for (name, party, _) in super::OTHERS {
        if identifier == party {
            return name.to_owned();
        }
    }
    let name = |digit: &str| {
        let place = digit.parse::<usize>().ok().and_then(|digit| digit.checked_sub(1));
        place.and_then(|place| super::PARTIES.get(place)).copied()
    };
    let parts: Vec<&str> = identifier.trim_start_matches(GS1).split('/').collect();
    let short = match parts.as_slice() {
        ["417", number] => number.get(7..8).and_then(name).map(str::to_owned),
        ["414", number] => FACILITIES
            .iter()
            .find(|(_, facility)| facility == number)
            .map(|(name, _)| (*name).to_owned()),
        ["253", number] => Some(number.get(13..).unwrap_or_default().to_owned()),
        ["01", gtin, rest @ ..] => gtin.get(8..9).and_then(name).map(|party| {
            // A GTIN of the inputs whose check digit is wrong has a mark.
            let wrong = gtin.get(..13).is_some_and(|digits| with_check(digits) != *gtin);
            let class = format!(
                "{party}{}{}",
                gtin.get(12..13).unwrap_or_default(),
                if wrong { "!" } else { "" }
            );
            match rest {
                ["10", lot] => format!("{class}/{lot}"),
                ["21", serial] => format!("{class}#{serial}"),
                _ => class,
            }
        }),
        _ => None,
    };
    short.unwrap_or_else(|| identifier.to_owned())
}

/// The identifier of a short name in a question; a `!` puts back the wrong check digit of the inputs.
pub(crate) fn asked(name: &str) -> String {
    if name.starts_with("http") || name.starts_with("urn:") {
        return name.to_owned();
    }
    name.split_once('!').map_or_else(
        || thing(name),
        |(class, rest)| {
            let right = thing(class);
            let wrong = WRONG
                .iter()
                .find(|wrong| right.get(..right.len() - 1) == wrong.get(..wrong.len() - 1));
            let wrong = wrong.unwrap_or_else(|| panic!("no input has {name}"));
            thing(&format!("{class}{rest}")).replace(&right, wrong)
        },
    )
}

/// GTINs of the inputs whose check digit is wrong.
const WRONG: [&str; 2] = [
    "https://id.gs1.org/01/09521239200014",
    "https://id.gs1.org/01/09521239200021",
];

//! Repository hygiene, as a test: what no compiler checks and every reader notices.
//!
//! Looks at every file that git tracks or would track. The words that may not occur are put together here
//! from their parts, or this file would be the first to fail.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Largest file in the repository, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the repository, relative to its root.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let files: Vec<_> = names.split_terminator('\0').map(PathBuf::from).collect();
    assert!(files.len() > 10, "only {} files found", files.len());
    // A file deleted but not yet committed is still listed.
    files
        .into_iter()
        .filter(|path| root().join(path).is_file())
        .collect()
}

fn has_extension(path: &Path, wanted: &[&str]) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|found| wanted.contains(&found))
}

/// Files of text, with their text; data that happens not to be UTF-8 is left out.
fn texts() -> impl Iterator<Item = (PathBuf, String)> {
    files().into_iter().filter_map(|path| {
        let text = fs::read_to_string(root().join(&path)).ok()?;
        Some((path, text))
    })
}

/// Fails with all complaints at once.
fn assert_none(complaints: &[String], rule: &str) {
    assert!(complaints.is_empty(), "{rule}\n{}", complaints.join("\n"));
}

/// `path:line: line` of every line for which `is_wrong` holds.
fn lines_where(path: &Path, text: &str, is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let wrong = text.lines().enumerate().filter(|(_, line)| is_wrong(line));
    wrong
        .map(|(index, line)| format!("{}:{}: {}", path.display(), index + 1, line.trim()))
        .collect()
}

#[test]
fn every_rust_file_begins_by_saying_what_it_is() {
    let complaints: Vec<_> = texts()
        .filter(|(path, _)| has_extension(path, &["rs"]))
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_none(&complaints, "these files need a `//!` header on their first line");
}

#[test]
fn nothing_is_left_to_be_fixed() {
    let marks = [
        ["FIX", "ME"].concat(),
        ["XX", "X"].concat(),
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
    ];
    let source = ["rs", "proto", "toml", "md", "py", "sh", "c", "js", "html"];
    let complaints: Vec<_> = texts()
        .filter(|(path, _)| has_extension(path, &source))
        .flat_map(|(path, text)| {
            lines_where(&path, &text, |line| marks.iter().any(|mark| line.contains(mark)))
        })
        .collect();
    assert_none(
        &complaints,
        "finish these, or say in a sentence what is missing and why",
    );
}

#[test]
fn no_file_is_large() {
    let complaints: Vec<_> = files()
        .into_iter()
        .filter_map(|path| {
            let len = fs::metadata(root().join(&path)).ok()?.len();
            (len > FILE_LEN_MAX).then(|| format!("{}: {len} bytes", path.display()))
        })
        .collect();
    assert_none(&complaints, "files over 1 MiB do not belong into the repository");
}

#[test]
fn no_package_registry_is_named() {
    // In words, so that this file names none either.
    let hosts = [
        "crates io",
        "pypi org",
        "files pythonhosted org",
        "registry npmjs org",
        "proxy golang org",
        "repo maven apache org",
        "repo1 maven org",
        "deb debian org",
    ];
    let hosts = hosts.map(|words| words.replace(' ', "."));
    let complaints: Vec<_> = texts()
        // Cargo writes where a crate came from into its lock file.
        .filter(|(path, _)| path != Path::new("Cargo.lock"))
        .flat_map(|(path, text)| {
            lines_where(&path, &text, |line| hosts.iter().any(|host| line.contains(host)))
        })
        .collect();
    assert_none(
        &complaints,
        "packages are named, registries are not: which one serves them is the reader's affair",
    );
}

#[test]
fn no_path_of_somebodys_machine_is_written_down() {
    let folders = ["home", "work", "root", "Users"].map(|folder| format!("/{folder}/"));
    let complaints: Vec<_> = texts()
        .flat_map(|(path, text)| {
            lines_where(&path, &text, |line| {
                folders.iter().any(|folder| is_absolute_in(line, folder))
            })
        })
        .collect();
    assert_none(&complaints, "these paths exist on one machine only");
}

/// Whether `folder` occurs in `line` as the beginning of a path.
fn is_absolute_in(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric() && !"._-}>/*".contains(before))
    })
}

#[test]
fn commands_in_the_documentation_exist() {
    let known = Commands::known();
    let complaints: Vec<_> = texts()
        .filter(|(path, _)| has_extension(path, &["md"]))
        .flat_map(|(path, text)| {
            let unknown = commands_in(&text)
                .into_iter()
                .filter(|command| !known.contains(command));
            unknown
                .map(|(tool, word)| format!("{}: {tool} {word}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none(&complaints, "the documentation shows commands that there are not");
}

/// The commands of both tools, read from their sources.
struct Commands {
    xtask: BTreeSet<String>,
    lotproof: BTreeSet<String>,
}

impl Commands {
    fn known() -> Self {
        let mut known = Self {
            xtask: BTreeSet::new(),
            lotproof: BTreeSet::new(),
        };
        for (path, text) in texts().filter(|(path, _)| has_extension(path, &["rs"])) {
            if path == Path::new("xtask/src/main.rs") {
                known.xtask.extend(match_arms(&text));
            } else if path.starts_with("services/cli/src") {
                known.lotproof.extend(variants(&text));
            }
        }
        assert!(
            known.xtask.contains("test"),
            "xtask's commands are not where they were"
        );
        known
    }

    fn contains(&self, (tool, word): &(&'static str, String)) -> bool {
        let words = if *tool == "cargo xtask" {
            &self.xtask
        } else {
            &self.lotproof
        };
        words.contains(word)
    }
}

/// `"word" =>` at the beginning of a line.
fn match_arms(source: &str) -> impl Iterator<Item = String> {
    source.lines().filter_map(|line| {
        let (word, rest) = line.trim_start().strip_prefix('"')?.split_once('"')?;
        rest.contains("=>").then(|| word.to_owned())
    })
}

/// Names that may be variants of a command line's enum, as the command line spells them.
fn variants(source: &str) -> impl Iterator<Item = String> {
    source.lines().filter_map(|line| {
        let line = line.trim();
        let end = line.find(|letter: char| !letter.is_ascii_alphanumeric())?;
        let (name, rest) = line.split_at(end);
        let is_variant = name.starts_with(|first: char| first.is_ascii_uppercase())
            && rest.trim_start().starts_with(['(', '{', ',']);
        is_variant.then(|| kebab(name))
    })
}

/// `AcceptClock` as `accept-clock`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// Commands at the beginning of a code block's lines, or between backticks: the tool, and its first word.
fn commands_in(markdown: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let is_code = in_block || line.starts_with("    ");
        let pieces: Vec<&str> = if is_code {
            vec![line]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for piece in pieces {
            let piece = piece.trim_start().trim_start_matches("$ ");
            for (tool, prefix) in [("cargo xtask", "cargo xtask "), ("lotproof", "lotproof ")] {
                let word = piece
                    .strip_prefix(prefix)
                    .and_then(|rest| rest.split_whitespace().next());
                let is_word =
                    |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                if let Some(word) = word.filter(is_word).filter(|word| !word.starts_with('-')) {
                    found.push((tool, word.to_owned()));
                }
            }
        }
    }
    found
}

#[test]
fn commands_are_found_where_they_stand() {
    let text = "Run `cargo xtask demo` or\n\n    $ lotproof ledger accept-clock\n\n```\nlotproof up # all\nelse lotproof x\n```\n`lotproof --help` and lotproof in prose `lotproof COMMAND`";
    let expected = [
        ("cargo xtask", "demo"),
        ("lotproof", "ledger"),
        ("lotproof", "up"),
    ];
    assert_eq!(
        commands_in(text),
        expected.map(|(tool, word)| (tool, word.to_owned()))
    );
}

#[test]
fn variants_are_spelt_as_on_the_command_line() {
    let source = "enum Command {\n    /// Ok\n    Up(Up),\n    AcceptClock { why: String },\n    Keys,\n}\nlet Some(x) = y;";
    assert_eq!(
        variants(source).collect::<Vec<_>>(),
        ["up", "accept-clock", "keys"]
    );
}

#[test]
fn absolute_paths_are_told_from_parts_of_others() {
    let folder = format!("/{}/", "home");
    for line in [
        format!("in \"{folder}me\""),
        format!("{folder}me"),
        format!("see ({folder}me)"),
    ] {
        assert!(is_absolute_in(&line, &folder), "{line}");
    }
    for line in [
        format!("https://example.org{folder}me"),
        format!("a{folder}b"),
        format!("./x{folder}"),
    ] {
        assert!(!is_absolute_in(&line, &folder), "{line}");
    }
}

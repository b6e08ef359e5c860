//! What a worker did to its files, as the shim recorded it (`tests/shim` has the layout).

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// One recorded operation. Paths are relative to the folder; the folder itself is the empty path.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create {
        inode: u64,
        path: PathBuf,
    },
    Write {
        inode: u64,
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        inode: u64,
        len: usize,
    },
    SyncFile {
        inode: u64,
    },
    SyncFolder {
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// Something was promised to somebody outside: a line of the worker's.
    Acknowledged {
        said: String,
    },
}

/// Runs one worker after another on the same, at first empty, folder, each ended after so many records
/// (the last one by itself), and returns everything they did. `worker` makes the command of each, by its number,
/// the folder, and the file that takes what it promises.
pub(crate) fn record(exits_at: &[u64], worker: impl Fn(u64, &Path, &Path) -> Command) -> Vec<Op> {
    let scratch = tempfile::tempdir().unwrap();
    let [folder, trace, acks, complaint] =
        ["store", "trace", "store/acks", "complaint"].map(|name| scratch.path().join(name));
    std::fs::create_dir(&folder).unwrap();
    let shim = build_shim();
    let exits = exits_at.iter().copied().chain([u64::MAX]);
    for (generation, exit_at) in (0..).zip(exits) {
        let status = worker(generation, &folder, &acks)
            .env("LD_PRELOAD", &shim)
            .env("LOTPROOF_SHIM_ROOT", &folder)
            .env("LOTPROOF_SHIM_TRACE", &trace)
            .env("LOTPROOF_SHIM_ACKS", &acks)
            .env("LOTPROOF_SHIM_EXIT_AT", exit_at.to_string())
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(File::create(&complaint).unwrap())
            .status()
            .unwrap();
        let ended = status.code();
        assert!(
            ended == Some(0) || ended == Some(77) && exit_at != u64::MAX,
            "the worker ended with {status}: {}",
            std::fs::read_to_string(&complaint).unwrap()
        );
    }
    parse(&std::fs::read(trace).unwrap(), &folder)
}

/// Builds the shim, in a folder of its own under this test's target folder.
fn build_shim() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let target = exe.parent().and_then(Path::parent).unwrap().join("shim");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "lotproof-shim",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "the shim does not build");
    target.join("debug/liblotproof_shim.so")
}

fn parse(mut bytes: &[u8], folder: &Path) -> Vec<Op> {
    let relative = |path: &[u8]| {
        let path = Path::new(std::str::from_utf8(path).unwrap());
        path.strip_prefix(folder).unwrap().to_owned()
    };
    let mut ops = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let (len, rest) = rest.split_first_chunk::<4>().unwrap();
        let (payload, rest) = rest.split_at(usize::try_from(u32::from_be_bytes(*len)).unwrap());
        bytes = rest;
        let number = |at: usize| u64::from_be_bytes(payload[at..at + 8].try_into().unwrap());
        let length = |at: usize| usize::try_from(number(at)).unwrap();
        ops.push(match kind {
            b'O' => Op::Create {
                inode: number(0),
                path: relative(&payload[8..]),
            },
            b'W' => Op::Write {
                inode: number(0),
                offset: length(8),
                data: payload[16..].to_vec(),
            },
            b'T' => Op::Truncate {
                inode: number(0),
                len: length(8),
            },
            b'S' => Op::SyncFile { inode: number(0) },
            b'D' => Op::SyncFolder {
                path: relative(payload),
            },
            b'M' => Op::MakeFolder {
                path: relative(payload),
            },
            b'U' | b'X' => Op::Remove {
                path: relative(payload),
            },
            b'R' => {
                let mut names = payload.split(|byte| *byte == 0).map(relative);
                Op::Rename {
                    from: names.next().unwrap(),
                    to: names.next().unwrap(),
                }
            }
            b'A' => Op::Acknowledged {
                said: std::str::from_utf8(payload).unwrap().trim().to_owned(),
            },
            other => panic!("record of kind {other}"),
        });
    }
    ops
}

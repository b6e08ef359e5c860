//! A disk that remembers what is durable and what is not yet, and can stop at any moment.
//!
//! What a file has been given since its last sync is a list of operations; so is what has happened to the
//! names of a folder since *its* last sync. A stop keeps, drops, tears or reorders the former, and keeps
//! any first part of the latter, for each file and folder on its own. That is as harsh as POSIX allows and
//! harsher than common file systems are.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs,
    path::Path,
};

use crate::{dice::Dice, trace::Op};

/// What happens to writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// All are there.
    Kept,
    /// None is.
    Dropped,
    /// The first so many are, and of the next one some sectors.
    Torn,
    /// Any pages of any of them.
    Reordered,
    /// For each file and folder another of the above.
    Mixed,
}

impl Model {
    pub(crate) const ALL: [Self; 5] = [
        Self::Kept,
        Self::Dropped,
        Self::Torn,
        Self::Reordered,
        Self::Mixed,
    ];

    /// What it means for one file or folder.
    fn for_one(self, dice: &mut Dice) -> Self {
        match self {
            Self::Mixed => Self::ALL[dice.place(4)],
            Self::Kept | Self::Dropped | Self::Torn | Self::Reordered => self,
        }
    }
}

/// A disk that lies, to show that the test can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// Syncs of files do nothing.
    FileSync,
    /// Syncs of folders do nothing.
    FolderSync,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Truncate { len: usize },
}

#[derive(Clone, Debug)]
enum Rename {
    Put { name: OsString, node: Node },
    Remove { name: OsString },
    Move { from: OsString, to: OsString },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder(usize),
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Default)]
struct Folder {
    durable: BTreeMap<OsString, Node>,
    pending: Vec<Rename>,
    /// As the process sees it.
    names: BTreeMap<OsString, Node>,
}

/// Stops a disk `images` times, at random moments while `ops` happen. `judge` is given how many of them were
/// done, how the disk was stopped, and what is left on it.
pub(crate) fn stop_while(
    ops: &[Op],
    images: u64,
    lie: Lie,
    dice: &mut Dice,
    mut judge: impl FnMut(usize, Model, &Path, &mut Dice),
) {
    let mut moments: Vec<usize> = (0..images).map(|_| up_to(dice, ops.len())).collect();
    moments.sort_unstable();
    let mut moments = moments.into_iter().peekable();
    let mut disk = Disk::new(lie);
    for at in 0..=ops.len() {
        while moments.next_if_eq(&at).is_some() {
            let model = Model::ALL[dice.place(5)];
            let image = tempfile::tempdir().unwrap();
            disk.stop(model, dice, image.path());
            judge(at, model, image.path(), dice);
        }
        if let Some(op) = ops.get(at) {
            disk.apply(op);
        }
    }
}

/// The disk as it is after some operations.
pub(crate) struct Disk {
    lie: Lie,
    files: Vec<File>,
    folders: Vec<Folder>,
    inodes: HashMap<u64, usize>,
}

impl Disk {
    /// An empty folder on a disk.
    pub(crate) fn new(lie: Lie) -> Self {
        Self {
            lie,
            files: Vec::new(),
            folders: vec![Folder::default()],
            inodes: HashMap::new(),
        }
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { inode, path } => {
                self.files.push(File::default());
                let file = self.files.len() - 1;
                self.inodes.insert(*inode, file);
                self.rename(path, |name| Rename::Put {
                    name,
                    node: Node::File(file),
                });
            }
            Op::MakeFolder { path } => {
                self.folders.push(Folder::default());
                let folder = self.folders.len() - 1;
                self.rename(path, |name| Rename::Put {
                    name,
                    node: Node::Folder(folder),
                });
            }
            Op::Remove { path } => self.rename(path, |name| Rename::Remove { name }),
            Op::Rename { from, to } => {
                assert_eq!(
                    from.parent(),
                    to.parent(),
                    "moves between folders are not modelled"
                );
                let to = to.file_name().unwrap().to_owned();
                self.rename(from, |from| Rename::Move { from, to });
            }
            Op::Write { inode, offset, data } => {
                self.file(*inode).pending.push(Change::Write {
                    offset: *offset,
                    data: data.clone(),
                });
            }
            Op::Truncate { inode, len } => self.file(*inode).pending.push(Change::Truncate { len: *len }),
            Op::SyncFile { inode } => {
                if self.lie != Lie::FileSync {
                    let file = self.file(*inode);
                    for change in std::mem::take(&mut file.pending) {
                        change.apply(&mut file.durable);
                    }
                }
            }
            Op::SyncFolder { path } => {
                let folder = self.folder(path);
                if self.lie != Lie::FolderSync {
                    let folder = &mut self.folders[folder];
                    for rename in std::mem::take(&mut folder.pending) {
                        rename.apply(&mut folder.durable);
                    }
                }
            }
            Op::Acknowledged { .. } => {}
        }
    }

    fn file(&mut self, inode: u64) -> &mut File {
        &mut self.files[self.inodes[&inode]]
    }

    fn folder(&self, path: &Path) -> usize {
        path.iter()
            .fold(0, |folder, name| match self.folders[folder].names[name] {
                Node::Folder(folder) => folder,
                Node::File(_) => panic!("{} is a file", path.display()),
            })
    }

    fn rename(&mut self, path: &Path, rename: impl FnOnce(OsString) -> Rename) {
        let folder = self.folder(path.parent().unwrap());
        let folder = &mut self.folders[folder];
        let rename = rename(path.file_name().unwrap().to_owned());
        rename.clone().apply(&mut folder.names);
        folder.pending.push(rename);
    }

    /// Writes what a stop at this moment leaves behind into `target`.
    pub(crate) fn stop(&self, model: Model, dice: &mut Dice, target: &Path) {
        self.stop_folder(0, model, dice, target);
    }

    fn stop_folder(&self, folder: usize, model: Model, dice: &mut Dice, target: &Path) {
        fs::create_dir_all(target).unwrap();
        let folder = &self.folders[folder];
        let mut names = folder.durable.clone();
        let all = folder.pending.len();
        let kept = match model.for_one(dice) {
            Model::Kept => all,
            Model::Dropped => 0,
            Model::Torn | Model::Reordered | Model::Mixed => up_to(dice, all),
        };
        for rename in &folder.pending[..kept] {
            rename.clone().apply(&mut names);
        }
        for (name, node) in names {
            let path = target.join(name);
            match node {
                Node::Folder(inner) => self.stop_folder(inner, model, dice, &path),
                Node::File(file) => fs::write(path, self.files[file].stop(model, dice)).unwrap(),
            }
        }
    }
}

impl File {
    fn stop(&self, model: Model, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let all = self.pending.len();
        match model.for_one(dice) {
            Model::Dropped => {}
            Model::Kept | Model::Mixed => {
                for change in &self.pending {
                    change.clone().apply(&mut bytes);
                }
            }
            Model::Torn => {
                let whole = up_to(dice, all);
                for change in &self.pending[..whole] {
                    change.clone().apply(&mut bytes);
                }
                if let Some(change) = self.pending.get(whole) {
                    // A first part of it, or any sectors.
                    let first = dice.one_in(2).then(|| dice.below(200));
                    change.apply_pieces(512, &mut bytes, |piece| match first {
                        Some(first) => piece < first,
                        None => dice.one_in(2),
                    });
                }
            }
            Model::Reordered => {
                let keep_one_in = 1 + dice.below(3);
                for change in &self.pending {
                    change.apply_pieces(4096, &mut bytes, |_| dice.one_in(keep_one_in));
                }
                if dice.one_in(2) {
                    // The length was written, and what should stand there was not.
                    let mut whole = self.durable.clone();
                    for change in &self.pending {
                        change.clone().apply(&mut whole);
                    }
                    bytes.resize(bytes.len().max(whole.len()), 0);
                }
            }
        }
        bytes
    }
}

impl Change {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Truncate { len } => bytes.resize(len, 0),
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[offset..end].copy_from_slice(&data);
            }
        }
    }

    /// Applies those aligned pieces of it that are to be kept.
    fn apply_pieces(&self, piece_len: usize, bytes: &mut Vec<u8>, mut keep: impl FnMut(u64) -> bool) {
        match self {
            Self::Truncate { len } => {
                if keep(0) {
                    bytes.resize(*len, 0);
                }
            }
            Self::Write { offset, data } => {
                let mut from = 0;
                let mut piece = 0;
                while from < data.len() {
                    let to = (piece_len - (offset + from) % piece_len + from).min(data.len());
                    if keep(piece) {
                        Self::Write {
                            offset: offset + from,
                            data: data[from..to].to_vec(),
                        }
                        .apply(bytes);
                    }
                    from = to;
                    piece += 1;
                }
            }
        }
    }
}

impl Rename {
    fn apply(self, names: &mut BTreeMap<OsString, Node>) {
        match self {
            Self::Put { name, node } => {
                names.insert(name, node);
            }
            Self::Remove { name } => {
                names.remove(&name);
            }
            Self::Move { from, to } => {
                if let Some(node) = names.remove(&from) {
                    names.insert(to, node);
                }
            }
        }
    }
}

fn up_to(dice: &mut Dice, all: usize) -> usize {
    dice.place(all + 1)
}

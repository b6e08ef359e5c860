//! Stands between a process and its C library (`LD_PRELOAD`) and records what it does to the files under
//! one folder: in order, with the data, so that the disk of any moment can be put together again.
//!
//! | environment | meaning |
//! |---|---|
//! | `LOTPROOF_SHIM_ROOT` | the folder, absolute; without it nothing is recorded |
//! | `LOTPROOF_SHIM_TRACE` | the file that records are appended to, outside of the folder |
//! | `LOTPROOF_SHIM_ACKS` | a file; what is written to it is an acknowledgement |
//! | `LOTPROOF_SHIM_EXIT_AT` | the process ends at once after so many records |
//!
//! ```text
//! record = kind u8 | len u32be | payload
//!
//! O create     inode u64be | path             W write      inode u64be | offset u64be | data
//! T truncate   inode u64be | len u64be        S sync file  inode u64be
//! D sync folder            path               M mkdir      path
//! U unlink     path                           X rmdir      path
//! R rename     from 0 to                      A acknowledged   data
//! ```
//!
//! `sync_file_range` is passed on and not recorded: it is no sync. Operations on the folder and their
//! records are one step under a lock, so the order of the records is the order of what happened.
//!
//! The functions replaced are those that Rust's standard library and sled 0.34 call on 64-bit Linux. All
//! of them go to the kernel directly, which spares finding the originals.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    os::unix::ffi::OsStrExt as _,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use libc::{mode_t, off_t, size_t, ssize_t};

struct Recorder {
    root: Vec<u8>,
    acks: Vec<u8>,
    trace: c_int,
    exit_at: u64,
    records: AtomicU64,
    lock: Mutex<()>,
}

fn recorder() -> Option<&'static Recorder> {
    static RECORDER: OnceLock<Option<Recorder>> = OnceLock::new();
    let begin = || {
        let bytes = |name| std::env::var_os(name).map(|value| value.as_bytes().to_vec());
        let mut trace = bytes("LOTPROOF_SHIM_TRACE")?;
        trace.push(0);
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: `trace` ends with a zero byte and lives through the call.
        let trace = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, trace.as_ptr(), flags, 0o644) };
        let exit_at =
            bytes("LOTPROOF_SHIM_EXIT_AT").and_then(|text| String::from_utf8(text).ok()?.parse().ok());
        Some(Recorder {
            root: bytes("LOTPROOF_SHIM_ROOT")?,
            acks: bytes("LOTPROOF_SHIM_ACKS").unwrap_or_default(),
            trace: c_int::try_from(trace).ok().filter(|trace| *trace >= 0)?,
            exit_at: exit_at.unwrap_or(u64::MAX),
            records: AtomicU64::new(0),
            lock: Mutex::new(()),
        })
    };
    RECORDER.get_or_init(begin).as_ref()
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn covers(&self, path: &[u8]) -> bool {
        path.strip_prefix(&self.root[..])
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    fn record(&self, kind: u8, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        for part in parts {
            bytes.extend_from_slice(part);
        }
        // SAFETY: the buffer is valid for its length.
        let written = unsafe { libc::syscall(libc::SYS_write, self.trace, bytes.as_ptr(), bytes.len()) };
        let complete = usize::try_from(written).is_ok_and(|written| written == bytes.len());
        if !complete || self.records.fetch_add(1, Ordering::Relaxed) + 1 >= self.exit_at {
            // SAFETY: ends the process; nothing after it runs.
            unsafe { libc::syscall(libc::SYS_exit_group, if complete { 77 } else { 78 }) };
        }
    }

    /// Path of an open file, if it is under the folder.
    fn path_of(&self, fd: c_int) -> Option<Vec<u8>> {
        let link = format!("/proc/self/fd/{fd}\0");
        let mut path = vec![0_u8; 4096];
        // SAFETY: the name ends with a zero byte and the buffer is valid for its length.
        let len = unsafe {
            libc::syscall(
                libc::SYS_readlinkat,
                libc::AT_FDCWD,
                link.as_ptr(),
                path.as_mut_ptr(),
                path.len(),
            )
        };
        path.truncate(usize::try_from(len).ok()?);
        self.covers(&path).then_some(path)
    }

    /// Absolute path of a name given to one of the `*at` functions, if it is under the folder.
    fn path_at(&self, folder: c_int, name: *const c_char) -> Option<Vec<u8>> {
        // SAFETY: callers pass what they were given as a C string.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        if name.first() == Some(&b'/') {
            return self.covers(name).then(|| name.to_vec());
        }
        let mut path = self.path_of(folder)?;
        path.push(b'/');
        path.extend_from_slice(name);
        Some(path)
    }
}

fn status(fd: c_int) -> Option<libc::stat> {
    // SAFETY: all zeros is a valid `stat`, and `fstat` fills it.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut status) == 0).then_some(status)
    }
}

fn inode(fd: c_int) -> [u8; 8] {
    status(fd).map_or(0, |status| status.st_ino).to_be_bytes()
}

fn file_len(fd: c_int) -> u64 {
    status(fd)
        .and_then(|status| u64::try_from(status.st_size).ok())
        .unwrap_or(0)
}

fn narrow(result: libc::c_long) -> c_int {
    c_int::try_from(result).unwrap_or(-1)
}

fn wide(result: libc::c_long) -> ssize_t {
    ssize_t::try_from(result).unwrap_or(-1)
}

/// Opens a file; records its creation, and its truncation if it had anything in it.
///
/// # Safety
/// As for the function of the C library.
unsafe fn open_at(folder: c_int, name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's arguments are passed on as they are.
    let open = || narrow(unsafe { libc::syscall(libc::SYS_openat, folder, name, flags, mode) });
    let changes = flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    let Some((recorder, path)) = recorder()
        .filter(|_| changes)
        .and_then(|r| Some((r, r.path_at(folder, name)?)))
    else {
        return open();
    };
    let _lock = recorder.lock();
    // SAFETY: as above.
    let there = unsafe { libc::faccessat(folder, name, libc::F_OK, 0) } == 0;
    let fd = open();
    if fd >= 0 && path != recorder.acks {
        if !there {
            recorder.record(b'O', &[&inode(fd), &path]);
        } else if flags & libc::O_TRUNC != 0 {
            recorder.record(b'T', &[&inode(fd), &0_u64.to_be_bytes()]);
        }
    }
    fd
}

/// Writes; records what was written, and where.
fn write_with(
    fd: c_int,
    offset: Option<off_t>,
    write: impl Fn() -> ssize_t,
    data: impl Fn(usize) -> Vec<u8>,
) -> ssize_t {
    let Some((recorder, path)) = recorder().and_then(|r| Some((r, r.path_of(fd)?))) else {
        return write();
    };
    let _lock = recorder.lock();
    // SAFETY: asks for flags and the position of an open file.
    let position = offset.unwrap_or_else(|| unsafe {
        if libc::fcntl(fd, libc::F_GETFL) & libc::O_APPEND == 0 {
            libc::lseek(fd, 0, libc::SEEK_CUR)
        } else {
            off_t::try_from(file_len(fd)).unwrap_or(0)
        }
    });
    let written = write();
    if let Ok(len) = usize::try_from(written) {
        if path == recorder.acks {
            recorder.record(b'A', &[&data(len)]);
        } else {
            let position = u64::try_from(position).unwrap_or(0);
            recorder.record(b'W', &[&inode(fd), &position.to_be_bytes(), &data(len)]);
        }
    }
    written
}

/// Copies what a caller is writing.
///
/// # Safety
/// `data` must be valid for `len` bytes.
unsafe fn copied(data: *const c_void, len: usize) -> Vec<u8> {
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) }.to_vec()
}

fn sync_with(fd: c_int, sync: impl Fn() -> c_int) -> c_int {
    let Some((recorder, path)) = recorder().and_then(|r| Some((r, r.path_of(fd)?))) else {
        return sync();
    };
    let _lock = recorder.lock();
    let result = sync();
    if result == 0 {
        if status(fd).is_some_and(|status| status.st_mode & libc::S_IFMT == libc::S_IFDIR) {
            recorder.record(b'D', &[&path]);
        } else {
            recorder.record(b'S', &[&inode(fd)]);
        }
    }
    result
}

fn name_with(kind: u8, path: Option<Vec<u8>>, act: impl Fn() -> c_int) -> c_int {
    let Some((recorder, path)) = recorder().zip(path) else {
        return act();
    };
    let _lock = recorder.lock();
    let result = act();
    if result == 0 {
        recorder.record(kind, &[&path]);
    }
    result
}

fn path_at(folder: c_int, name: *const c_char) -> Option<Vec<u8>> {
    recorder()?.path_at(folder, name)
}

macro_rules! replaced {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty $body:block)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As for the function of the C library.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> $result $body
    )*};
}

replaced! {
    /// `open(2)`
    fn open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        // SAFETY: the caller's arguments are passed on as they are; so in all functions below.
        unsafe { open_at(libc::AT_FDCWD, name, flags, mode) }
    }
    /// `open(2)`
    fn open64(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        // SAFETY: see `open`.
        unsafe { open_at(libc::AT_FDCWD, name, flags, mode) }
    }
    /// `openat(2)`
    fn openat(folder: c_int, name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        // SAFETY: see `open`.
        unsafe { open_at(folder, name, flags, mode) }
    }
    /// `openat(2)`
    fn openat64(folder: c_int, name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        // SAFETY: see `open`.
        unsafe { open_at(folder, name, flags, mode) }
    }
    /// `write(2)`
    fn write(fd: c_int, data: *const c_void, len: size_t) -> ssize_t {
        // SAFETY: see `open`.
        let write = || wide(unsafe { libc::syscall(libc::SYS_write, fd, data, len) });
        // SAFETY: at most `len` bytes were written from there.
        write_with(fd, None, write, |len| unsafe { copied(data, len) })
    }
    /// `pwrite(2)`
    fn pwrite64(fd: c_int, data: *const c_void, len: size_t, offset: off_t) -> ssize_t {
        // SAFETY: see `open`.
        let write = || wide(unsafe { libc::syscall(libc::SYS_pwrite64, fd, data, len, offset) });
        // SAFETY: at most `len` bytes were written from there.
        write_with(fd, Some(offset), write, |len| unsafe { copied(data, len) })
    }
    /// `pwrite(2)`
    fn pwrite(fd: c_int, data: *const c_void, len: size_t, offset: off_t) -> ssize_t {
        // SAFETY: see `open`.
        unsafe { pwrite64(fd, data, len, offset) }
    }
    /// `writev(2)`
    fn writev(fd: c_int, parts: *const libc::iovec, count: c_int) -> ssize_t {
        // SAFETY: see `open`.
        let write = || wide(unsafe { libc::syscall(libc::SYS_writev, fd, parts, count) });
        let data = |len| {
            // SAFETY: the kernel has just read all of these.
            let parts = unsafe { std::slice::from_raw_parts(parts, usize::try_from(count).unwrap_or(0)) };
            // SAFETY: the same.
            let copy = |part: &libc::iovec| unsafe { copied(part.iov_base, part.iov_len) };
            let mut all: Vec<u8> = parts.iter().flat_map(copy).collect();
            all.truncate(len);
            all
        };
        write_with(fd, None, write, data)
    }
    /// `ftruncate(2)`
    fn ftruncate64(fd: c_int, len: off_t) -> c_int {
        // SAFETY: see `open`.
        let cut = || narrow(unsafe { libc::syscall(libc::SYS_ftruncate, fd, len) });
        let Some(recorder) = recorder().filter(|r| r.path_of(fd).is_some()) else {
            return cut();
        };
        let _lock = recorder.lock();
        let result = cut();
        if result == 0 {
            recorder.record(b'T', &[&inode(fd), &u64::try_from(len).unwrap_or(0).to_be_bytes()]);
        }
        result
    }
    /// `ftruncate(2)`
    fn ftruncate(fd: c_int, len: off_t) -> c_int {
        // SAFETY: see `open`.
        unsafe { ftruncate64(fd, len) }
    }
    /// `fsync(2)`
    fn fsync(fd: c_int) -> c_int {
        // SAFETY: see `open`.
        sync_with(fd, || narrow(unsafe { libc::syscall(libc::SYS_fsync, fd) }))
    }
    /// `fdatasync(2)`
    fn fdatasync(fd: c_int) -> c_int {
        // SAFETY: see `open`.
        sync_with(fd, || narrow(unsafe { libc::syscall(libc::SYS_fdatasync, fd) }))
    }
    /// `rename(2)`
    fn rename(from: *const c_char, to: *const c_char) -> c_int {
        let cwd = libc::AT_FDCWD;
        let paths = path_at(cwd, from).zip(path_at(cwd, to)).map(|(from, to)| [from, to].join(&0));
        // SAFETY: see `open`.
        name_with(b'R', paths, || narrow(unsafe { libc::syscall(libc::SYS_renameat2, cwd, from, cwd, to, 0) }))
    }
    /// `mkdir(2)`
    fn mkdir(name: *const c_char, mode: mode_t) -> c_int {
        let path = path_at(libc::AT_FDCWD, name);
        // SAFETY: see `open`.
        name_with(b'M', path, || narrow(unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, name, mode) }))
    }
    /// `unlinkat(2)`
    fn unlinkat(folder: c_int, name: *const c_char, flags: c_int) -> c_int {
        let kind = if flags & libc::AT_REMOVEDIR == 0 { b'U' } else { b'X' };
        // SAFETY: see `open`.
        name_with(kind, path_at(folder, name), || narrow(unsafe { libc::syscall(libc::SYS_unlinkat, folder, name, flags) }))
    }
    /// `unlink(2)`
    fn unlink(name: *const c_char) -> c_int {
        // SAFETY: see `open`.
        unsafe { unlinkat(libc::AT_FDCWD, name, 0) }
    }
    /// `rmdir(2)`
    fn rmdir(name: *const c_char) -> c_int {
        // SAFETY: see `open`.
        unsafe { unlinkat(libc::AT_FDCWD, name, libc::AT_REMOVEDIR) }
    }
    /// `sync_file_range(2)`: no sync, so no record.
    fn sync_file_range(fd: c_int, offset: off_t, len: off_t, flags: c_uint) -> c_int {
        // SAFETY: see `open`.
        narrow(unsafe { libc::syscall(libc::SYS_sync_file_range, fd, offset, len, flags) })
    }
}

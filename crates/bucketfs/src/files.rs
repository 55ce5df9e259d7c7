//! The bucket as files: one mount's view of it. It must not know the bytes' meaning.
//!
//! The invariant: what another mount sees of a file comes from the bucket alone, and only [`Files::publish`] puts it
//! there (and `rename`, which asks nobody, like the real one).

use crate::bucket::Bucket;
use crate::faults::{Faults, Operation};
use fuser::*;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a mount does that a good one does not.
#[derive(Debug, Default)]
pub(crate) struct Switches {
    pub cache_ms: AtomicU64,
    pub frozen: AtomicBool,
    pub keeps_failed: AtomicBool,
}

/// A file or folder that the kernel knows by number.
#[derive(Clone, Debug, Default)]
struct Node {
    path: String,
    is_folder: bool,
    /// Which generation of the object it stands for; zero if there is none yet.
    generation: u64,
    /// What was written and is not published.
    local: Option<Vec<u8>>,
}

/// All nodes of one mount. They are kept for good: a test is short.
#[derive(Debug, Default)]
struct Nodes {
    by_number: HashMap<u64, Node>,
    by_path: HashMap<String, u64>,
    last: u64,
    listings: HashMap<String, BTreeMap<String, bool>>,
}

impl Nodes {
    fn child(&self, parent: INodeNo, name: &OsStr) -> Result<String, Errno> {
        let above = &self.by_number.get(&parent.0).ok_or(Errno::ENOENT)?.path;
        let name = name.to_str().ok_or(Errno::EINVAL)?;
        Ok(if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") })
    }

    fn node(&self, number: INodeNo) -> Result<&Node, Errno> {
        self.by_number.get(&number.0).ok_or(Errno::ESTALE)
    }

    /// The number of what stands at a path now: another one when the object is another generation.
    fn bind(&mut self, node: Node) -> u64 {
        if let Some(number) = self.by_path.get(&node.path)
            && let Some(known) = self.by_number.get(number)
            && known.is_folder == node.is_folder
            && known.generation == node.generation
            && node.local.is_none()
        {
            return *number;
        }
        self.last += 1;
        self.by_path.insert(node.path.clone(), self.last);
        self.by_number.insert(self.last, node);
        self.last
    }

    /// What this mount holds of a path and has not published.
    fn local(&self, path: &str) -> Option<(u64, usize)> {
        let number = *self.by_path.get(path)?;
        let local = self.by_number.get(&number)?.local.as_ref()?;
        Some((number, local.len()))
    }

    fn forget(&mut self, number: u64) {
        let Some(node) = self.by_number.remove(&number) else { return };
        if self.by_path.get(&node.path) == Some(&number) {
            self.by_path.remove(&node.path);
        }
    }
}

/// One mount's view.
#[derive(Debug)]
pub(crate) struct Files {
    bucket: Bucket,
    faults: Arc<Faults>,
    switches: Arc<Switches>,
    nodes: Mutex<Nodes>,
}

impl Files {
    pub fn new(bucket: Bucket, faults: Arc<Faults>, switches: Arc<Switches>) -> Self {
        let mut nodes = Nodes { last: INodeNo::ROOT.0, ..Nodes::default() };
        nodes.by_number.insert(INodeNo::ROOT.0, Node { is_folder: true, ..Node::default() });
        Self { bucket, faults, switches, nodes: Mutex::new(nodes) }
    }

    fn lock(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time_to_live(&self) -> Duration {
        Duration::from_millis(self.switches.cache_ms.load(Relaxed))
    }

    /// The number and form of what stands at a name.
    fn find(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        self.faults.before(Operation::Lookup, 0)?;
        let mut nodes = self.lock();
        let path = nodes.child(parent, name)?;
        if let Some((number, length)) = nodes.local(&path) {
            return Ok(form(number, false, length));
        }
        if self.bucket.is_folder(&path) {
            return Ok(form(nodes.bind(Node { path, is_folder: true, ..Node::default() }), true, 0));
        }
        let object = self.bucket.object(&path).ok_or(Errno::ENOENT)?;
        let number = nodes.bind(Node { path, generation: object.generation, ..Node::default() });
        Ok(form(number, false, object.bytes.len()))
    }

    fn form_of(&self, number: INodeNo) -> Result<FileAttr, Errno> {
        let nodes = self.lock();
        let node = nodes.node(number)?;
        let length = match &node.local {
            Some(local) => local.len(),
            None => self.bucket.object(&node.path).map_or(0, |object| object.bytes.len()),
        };
        Ok(form(number.0, node.is_folder, length))
    }

    /// Makes a file that only this mount sees. The bucket is not asked: who came first shows on publishing.
    fn make(&self, parent: INodeNo, name: &OsStr) -> Result<u64, Errno> {
        self.faults.before(Operation::Create, 0)?;
        let mut nodes = self.lock();
        let path = nodes.child(parent, name)?;
        self.bucket.show_part(&path, &[]);
        Ok(nodes.bind(Node { path, local: Some(Vec::new()), ..Node::default() }))
    }

    /// Publishes a file that has something to publish. Of two mounts the second finds another generation than it saw.
    fn publish(&self, number: u64) -> Result<(), Errno> {
        let length = match self.lock().by_number.get(&number) {
            Some(Node { local: Some(local), .. }) => local.len(),
            Some(_) => return Ok(()),
            None => return Err(Errno::ESTALE),
        };
        self.faults.before(Operation::Flush, length)?;
        // One lock over all of it: two handles on one file publish it one after the other.
        let mut nodes = self.lock();
        let node = nodes.by_number.get_mut(&number).ok_or(Errno::ESTALE)?;
        let Some(local) = &node.local else { return Ok(()) };
        node.generation = self.bucket.publish(&node.path, node.generation, local).ok_or(Errno::ESTALE)?;
        node.local = None;
        drop(nodes);
        self.faults.after(Operation::Flush)
    }

    fn read_at(&self, number: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        self.faults.before(Operation::Read, size as usize)?;
        let node = self.lock().node(number)?.clone();
        let whole = match node.local {
            Some(local) => Arc::new(local),
            None => {
                let object = self.bucket.object(&node.path).ok_or(Errno::ESTALE)?;
                // Replaced under the reader: the generation it opened is gone.
                let is_same = object.generation == node.generation;
                is_same.then_some(object.bytes).ok_or(Errno::ESTALE)?
            }
        };
        let start = usize::try_from(offset).map_or(whole.len(), |offset| offset.min(whole.len()));
        let end = whole.len().min(start.saturating_add(size as usize));
        Ok(whole[start..end].to_vec())
    }

    /// Changes what this mount holds of a file, beginning with what is published.
    fn change(&self, number: INodeNo, edit: impl FnOnce(&mut Vec<u8>)) -> Result<FileAttr, Errno> {
        let mut nodes = self.lock();
        let node = nodes.by_number.get_mut(&number.0).ok_or(Errno::ESTALE)?;
        let published =
            || self.bucket.object(&node.path).map_or_else(Vec::new, |object| object.bytes.to_vec());
        let mut local = node.local.take().unwrap_or_else(published);
        edit(&mut local);
        if node.generation == 0 {
            self.bucket.show_part(&node.path, &local);
        }
        let length = local.len();
        node.local = Some(local);
        Ok(form(number.0, false, length))
    }

    fn write_at(&self, number: INodeNo, offset: u64, bytes: &[u8]) -> Result<u32, Errno> {
        self.faults.before(Operation::Write, bytes.len())?;
        let start = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let written = u32::try_from(bytes.len()).map_err(|_| Errno::EFBIG)?;
        self.change(number, |local| {
            let end = start + bytes.len();
            local.resize(local.len().max(end), 0);
            local[start..end].copy_from_slice(bytes);
        })?;
        Ok(written)
    }

    /// Forgets what was never published, unless this mount is one that does not.
    fn close(&self, number: u64) {
        let mut nodes = self.lock();
        let Some(node) = nodes.by_number.get(&number).filter(|node| node.local.is_some()) else { return };
        self.bucket.forget_part(&node.path);
        if !self.switches.keeps_failed.load(Relaxed) {
            nodes.forget(number);
        }
    }

    fn list(&self, number: INodeNo) -> Result<BTreeMap<String, bool>, Errno> {
        let mut nodes = self.lock();
        let path = nodes.node(number)?.path.clone();
        let stem = if path.is_empty() { path } else { format!("{path}/") };
        if self.switches.frozen.load(Relaxed)
            && let Some(old) = nodes.listings.get(&stem)
        {
            return Ok(old.clone());
        }
        let mut found = self.bucket.children(&stem);
        let local = nodes.by_number.values().filter(|node| node.local.is_some());
        let local = local.filter_map(|node| node.path.strip_prefix(&stem)).filter(|rest| !rest.contains('/'));
        found.extend(local.map(|rest| (rest.to_owned(), false)));
        nodes.listings.insert(stem, found.clone());
        Ok(found)
    }

    fn remove(&self, parent: INodeNo, name: &OsStr, is_folder: bool) -> Result<(), Errno> {
        let mut nodes = self.lock();
        let path = nodes.child(parent, name)?;
        if is_folder && !self.bucket.children(&format!("{path}/")).is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        nodes.by_path.remove(&path);
        self.bucket.remove(&if is_folder { format!("{path}/") } else { path });
        Ok(())
    }

    /// Publishes what is moved, then puts it over whatever has the new name, without a look at it.
    fn move_over(&self, from: (INodeNo, &OsStr), to: (INodeNo, &OsStr)) -> Result<(), Errno> {
        self.faults.before(Operation::Rename, 0)?;
        let (old, new, number) = {
            let nodes = self.lock();
            let old = nodes.child(from.0, from.1)?;
            let number = nodes.by_path.get(&old).copied();
            (old, nodes.child(to.0, to.1)?, number)
        };
        if let Some(number) = number {
            self.publish(number)?;
        }
        if !self.bucket.rename(&old, &new) {
            return Err(Errno::ENOENT);
        }
        let mut nodes = self.lock();
        nodes.by_path.remove(&old);
        nodes.by_path.remove(&new);
        Ok(())
    }
}

/// What the kernel is told of a file.
fn form(number: u64, is_folder: bool, length: usize) -> FileAttr {
    let size = length as u64;
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: kind(is_folder),
        perm: if is_folder { 0o755 } else { 0o644 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn kind(is_folder: bool) -> FileType {
    if is_folder { FileType::Directory } else { FileType::RegularFile }
}

fn answer(end: Result<(), Errno>, reply: ReplyEmpty) {
    match end {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

/// The kernel's questions, one to a method above. The signatures are the library's.
impl Filesystem for Files {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let time = self.time_to_live();
        match self.find(parent, name) {
            Ok(form) => reply.entry(&time, &form, Generation(0)),
            // Number zero with a time to live: "there is none, and you need not ask again for so long".
            Err(errno) if errno == Errno::ENOENT && !time.is_zero() => {
                reply.entry(&time, &form(0, false, 0), Generation(0));
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.form_of(number) {
            Ok(form) => reply.attr(&self.time_to_live(), &form),
            Err(errno) => reply.error(errno),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let end = match size.map(usize::try_from) {
            Some(Ok(size)) => self.change(number, |local| local.resize(size, 0)),
            Some(Err(_)) => Err(Errno::EFBIG),
            None => self.form_of(number),
        };
        match end {
            Ok(form) => reply.attr(&self.time_to_live(), &form),
            Err(errno) => reply.error(errno),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let mut nodes = self.lock();
        match nodes.child(parent, name) {
            Ok(path) if self.bucket.is_folder(&path) => reply.error(Errno::EEXIST),
            Ok(path) => {
                self.bucket.make_folder(&path);
                let number = nodes.bind(Node { path, is_folder: true, ..Node::default() });
                reply.entry(&self.time_to_live(), &form(number, true, 0), Generation(0));
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        match self.make(parent, name) {
            Ok(number) => {
                let (time, direct) = (self.time_to_live(), FopenFlags::FOPEN_DIRECT_IO);
                reply.created(&time, &form(number, false, 0), Generation(0), FileHandle(1), direct);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        // The handle says whether it is for writing: a reader who closes publishes nothing. Nothing is cached, so
        // that a read is always answered here.
        let writes = u64::from(flags.acc_mode() != OpenAccMode::O_RDONLY);
        reply.opened(FileHandle(writes), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.read_at(number, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_at(number, offset, bytes) {
            Ok(written) => reply.written(written),
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(&self, _: &Request, number: INodeNo, handle: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        let writes = handle.0 == 1;
        answer(if writes { self.publish(number.0) } else { Ok(()) }, reply);
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        // A new file is only sent on its way; one that was published before is published again.
        let is_new = self.lock().node(number).is_ok_and(|node| node.generation == 0);
        answer(if is_new { Ok(()) } else { self.publish(number.0) }, reply);
    }

    fn release(
        &self,
        _: &Request,
        number: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        if handle.0 == 1 {
            self.close(number.0);
        }
        reply.ok();
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        // The fault strikes a listing once, not each of its pages.
        let begun = if offset == 0 { self.faults.before(Operation::List, 0) } else { Ok(()) };
        let found = match begun.and_then(|()| self.list(number)) {
            Ok(found) => found,
            Err(errno) => return reply.error(errno),
        };
        for (at, (name, is_folder)) in
            (1u64..).zip(&found).skip(usize::try_from(offset).unwrap_or(usize::MAX))
        {
            // The number is only shown; a lookup gives the real one.
            if reply.add(INodeNo(u64::MAX - at), at, kind(*is_folder), name) {
                break;
            }
        }
        reply.ok();
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.remove(parent, name, false), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.remove(parent, name, true), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        answer(self.move_over((parent, name), (new_parent, new_name)), reply);
    }

    fn link(&self, _: &Request, _: INodeNo, _: INodeNo, _: &OsStr, reply: ReplyEntry) {
        reply.error(self.faults.before(Operation::Link, 0).err().unwrap_or(Errno::ENOSYS));
    }
}

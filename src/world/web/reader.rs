//! A thread that reads answers beside the loop: listings and files, which take a while. There is one, since what a
//! thread has taken from the system's allocator stays with it: a listing that is read by whichever thread is free costs
//! its room in each of them. It must not know what is read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// The thread; it ends with this.
pub(super) struct Reader(Sender<Work>);

impl Reader {
    pub(super) fn start() -> Self {
        let (work, todo) = channel::<Work>();
        let read = move || {
            for work in todo {
                // A file that breaks its reader is that file's trouble: whoever waits for it hears that it is gone.
                catch_unwind(AssertUnwindSafe(work)).ok();
            }
        };
        // Where there is no room for a thread, nothing is read, and whoever asks is told so.
        std::thread::Builder::new().name("reader".to_owned()).spawn(read).ok();
        Self(work)
    }

    /// Has something done there, in its turn; none if it broke.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (told, hears) = oneshot::channel();
        // Whoever waited may be gone.
        let work = Box::new(move || drop(told.send(act())));
        self.0.send(work).ok()?;
        hears.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_takes_nothing_with_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let reader = Reader::start();
        let broken: Option<u8> = runtime.block_on(reader.read(|| [1_u8, 2].into_iter().nth(2).unwrap()));
        assert_eq!((broken, runtime.block_on(reader.read(|| 7))), (None, Some(7)));
    }
}

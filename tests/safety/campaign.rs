//! Campaigns of thousands of cases: a sample of them in the gate, all of them in `.ci/run --long`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{folder, is_long, real_tools_required};

/// How many cases are tried where real tools must be there (`.ci/run`), and where they need not.
const SAMPLE: [usize; 2] = [60, 5];

/// Xorshift, which is the same everywhere.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of_seed() -> (Self, u64) {
        let seed = std::env::var("MCP_TUNNELS_TEST_SEED").map_or(20_261_126, |seed| seed.parse().unwrap());
        (Self(seed | 1), seed)
    }

    pub(super) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// As many of these as this run is to try, picked by the seed, and says so.
pub(super) fn chosen<T>(test: &str, mut all: Vec<T>) -> Vec<T> {
    let (mut random, seed) = Random::of_seed();
    let total = all.len();
    if !is_long() {
        let number = total.min(SAMPLE[usize::from(!real_tools_required())]);
        all = (0..number).map(|_| all.swap_remove(random.below(all.len()))).collect();
    }
    println!("{test}: {} of {total} cases, MCP_TUNNELS_TEST_SEED={seed}", all.len());
    all
}

/// Tries all of these; in a long run on every processor, and to the end, so that one run tells all that fails.
pub(super) fn each<T: Sync>(all: &[T], try_one: impl Fn(&T) + Sync) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    each_at_once(all, if is_long() { processors } else { 1 }, try_one);
}

/// The same with so many at once, for what waits more than it computes.
pub(super) fn each_at_once<T: Sync>(all: &[T], at_once: usize, try_one: impl Fn(&T) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            if catch_unwind(AssertUnwindSafe(|| try_one(one))).is_err() {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner();
    assert_eq!(failed, 0, "{failed} of {} cases failed; each has its own message above", all.len());
}

/// A folder in memory, where there is one: nothing waits for a disk that no power is cut from.
pub(super) fn memory() -> tempfile::TempDir {
    let made = tempfile::Builder::new().prefix("mcp-tunnels-test-").tempdir_in("/dev/shm");
    made.unwrap_or_else(|_| folder())
}

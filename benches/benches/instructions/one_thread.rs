//! One thread does it all: others would be counted while they wait.

/// Gives rayon the calling thread alone. To be called before anything else asks for its threads.
pub(crate) fn one_thread() {
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
}

//! How many connections fit beside the files that the service must be able to open: one connection too many, and the next write of a
//! tile or of the database fails.

use std::num::NonZeroUsize;

/// Files besides connections: the 512 threads that may each have a tile open, the database with its readers, witnesses, and some more.
const RESERVED: usize = 640;

/// As many connections as are asked for, or as the limit of this process for open files leaves room for.
pub fn connections(asked: NonZeroUsize) -> NonZeroUsize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let granted = within(asked, soft_limit(&limits));
    if granted < asked {
        tracing::warn!(
            "only {granted} connections are let in, not {asked}: this process may open too few files (LimitNOFILE, ulimit -n)"
        );
    }
    granted
}

/// A fourth of the files, where that many are not left.
fn within(asked: NonZeroUsize, open_files: Option<usize>) -> NonZeroUsize {
    let Some(open_files) = open_files else { return asked };
    let room = open_files.saturating_sub(RESERVED).max(open_files / 4);
    asked.min(NonZeroUsize::new(room).unwrap_or(NonZeroUsize::MIN))
}

/// The soft limit in the text of `/proc/self/limits`; `None` if there is none.
fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_log() {
        let asked = NonZeroUsize::new(2048).unwrap();
        for (open_files, granted) in [
            (None, 2048),
            (Some(1 << 20), 2048),
            (Some(2688), 2048),
            (Some(2687), 2047),
            (Some(1024), 384),
            (Some(256), 64),
            (Some(0), 1),
        ] {
            assert_eq!(within(asked, open_files).get(), granted, "{open_files:?}");
        }
    }

    #[test]
    fn the_soft_limit_is_read() {
        let head = "Limit                     Soft Limit           Hard Limit           Units     \n";
        let line =
            |soft| format!("{head}Max open files            {soft:<20} 524288               files     \n");
        assert_eq!(soft_limit(&line("1024")), Some(1024));
        assert_eq!(soft_limit(&line("unlimited")), None);
        assert_eq!(soft_limit(head), None);
        let here = std::fs::read_to_string("/proc/self/limits").unwrap();
        assert!(here.contains("Max open files"));
    }
}

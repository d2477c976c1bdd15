//! Conditional requests, RFC 9110, section 13: what a client already has is not sent again, and a
//! download goes on only if the file is still the same.
//!
//! The validator of a file is its size, its time of change and its inode. It is weak while the file
//! is younger than [`SETTLED`]: within one tick of the file system's clock a file can change
//! without a trace, and pieces of two files must not become one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::head::Head;

/// How old a change must be before the time of it says everything: more than a tick of any file
/// system's clock (FAT's is two seconds).
const SETTLED: Duration = Duration::from_secs(2);

/// The last second of the year 9999: a later one cannot be written as HTTP writes dates.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;

/// What identifies one state of a file.
#[derive(Debug, Clone)]
pub(crate) struct Validator {
    tag: String,
    weak: bool,
    modified: SystemTime,
}

/// What follows from the conditions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answer as if there were none.
    Proceed,
    /// The client has it.
    NotModified,
    /// The client does not want it so.
    Failed,
}

impl Validator {
    /// Of a file of this size and inode, changed so many seconds and nanoseconds after 1970.
    pub(crate) fn new(size: u64, inode: u64, seconds: i64, nanoseconds: u32) -> Validator {
        let whole = u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND);
        let modified = UNIX_EPOCH + Duration::from_secs(whole);
        let settled = SystemTime::now().duration_since(modified).is_ok_and(|age| age >= SETTLED);
        let tag = format!("\"{size:x}-{seconds:x}.{nanoseconds:x}-{inode:x}\"");
        Validator { tag, weak: !settled, modified }
    }

    /// Whether another state of the file has another tag for certain.
    pub(crate) fn is_strong(&self) -> bool {
        !self.weak
    }

    /// The value of `ETag`.
    pub(crate) fn etag(&self) -> String {
        format!("{}{}", if self.weak { "W/" } else { "" }, self.tag)
    }

    /// The value of `Last-Modified`, which is never later than now.
    pub(crate) fn last_modified(&self) -> String {
        httpdate::fmt_http_date(self.modified.min(SystemTime::now()))
    }

    /// What the conditions in a request for this file say, in the order of section 13.2.2.
    pub(crate) fn verdict(&self, head: &Head<'_>) -> Verdict {
        let date = |name| head.text(name).and_then(|text| httpdate::parse_http_date(text).ok());
        if head.has("If-Match") {
            if !head.all("If-Match").any(|list| self.is_in(list, Comparison::Strong)) {
                return Verdict::Failed;
            }
        } else if date("If-Unmodified-Since").is_some_and(|date| self.modified > date) {
            return Verdict::Failed;
        }
        let has_it = match head.has("If-None-Match") {
            true => head.all("If-None-Match").any(|list| self.is_in(list, Comparison::Weak)),
            false => date("If-Modified-Since").is_some_and(|date| self.modified <= date),
        };
        if has_it { Verdict::NotModified } else { Verdict::Proceed }
    }

    /// Whether a range may be answered with a range: the part that the client has is of this file.
    pub(crate) fn range_applies(&self, head: &Head<'_>) -> bool {
        let Some(condition) = head.text("If-Range") else { return !head.has("If-Range") };
        if self.weak {
            return false;
        }
        match condition.starts_with(['"', 'W']) && condition.ends_with('"') {
            true => condition == self.tag,
            false => httpdate::parse_http_date(condition).is_ok_and(|date| date == self.modified),
        }
    }

    fn is_in(&self, list: &[u8], comparison: Comparison) -> bool {
        let tags = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let ours = self.tag.as_bytes();
        tags.into_iter().any(|tag| match (tag, comparison) {
            (b"*", _) => true,
            (tag, Comparison::Strong) => !self.weak && tag == ours,
            (tag, Comparison::Weak) => tag.strip_prefix(b"W/").unwrap_or(tag) == ours,
        })
    }
}

/// How two tags are compared, section 8.8.3.2: a weak one is never strongly equal.
#[derive(Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{parse, room};

    const YEAR_2020: i64 = 1_577_836_800;

    /// What the conditions say of a file changed at the beginning of 2020.
    fn judge(file: &Validator, conditions: &str) -> (Verdict, bool) {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{conditions}\r\n");
        let mut room = room();
        let head = parse(request.as_bytes(), &mut room).unwrap();
        (file.verdict(&head), file.range_applies(&head))
    }

    #[test]
    fn conditions_are_judged_in_their_order() {
        let file = Validator::new(10, 7, YEAR_2020, 0);
        let tag = file.etag();
        assert!(tag.starts_with('"'), "{tag}");
        let (same, after) = ("Wed, 01 Jan 2020 00:00:00 GMT", "Thu, 02 Jan 2020 00:00:00 GMT");
        let before = "Tue, 31 Dec 2019 00:00:00 GMT";
        assert_eq!(file.last_modified(), same);
        let rows = [
            (String::new(), Verdict::Proceed),
            (format!("If-None-Match: {tag}\r\n"), Verdict::NotModified),
            (format!("If-None-Match: \"x\", W/{tag}\r\n"), Verdict::NotModified),
            ("If-None-Match: *\r\n".into(), Verdict::NotModified),
            ("If-None-Match: \"x\"\r\n".into(), Verdict::Proceed),
            (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {after}\r\n"), Verdict::Proceed),
            (format!("If-Modified-Since: {same}\r\n"), Verdict::NotModified),
            (format!("If-Modified-Since: {after}\r\n"), Verdict::NotModified),
            (format!("If-Modified-Since: {before}\r\n"), Verdict::Proceed),
            ("If-Modified-Since: yesterday\r\n".into(), Verdict::Proceed),
            (format!("If-Match: {tag}\r\n"), Verdict::Proceed),
            ("If-Match: *\r\n".into(), Verdict::Proceed),
            (format!("If-Match: W/{tag}\r\n"), Verdict::Failed),
            ("If-Match: \"x\"\r\n".into(), Verdict::Failed),
            (format!("If-Unmodified-Since: {before}\r\n"), Verdict::Failed),
            (format!("If-Unmodified-Since: {same}\r\n"), Verdict::Proceed),
        ];
        for (conditions, verdict) in rows {
            assert_eq!(judge(&file, &conditions).0, verdict, "{conditions}");
        }
        let ranges = [
            (String::new(), true),
            (format!("If-Range: {tag}\r\n"), true),
            (format!("If-Range: {same}\r\n"), true),
            (format!("If-Range: {after}\r\n"), false),
            (format!("If-Range: W/{tag}\r\n"), false),
            ("If-Range: \"x\"\r\n".into(), false),
            ("If-Range: x\r\n".into(), false),
        ];
        for (condition, applies) in ranges {
            assert_eq!(judge(&file, &condition).1, applies, "{condition}");
        }
    }

    #[test]
    fn a_file_that_may_still_change_unseen_is_not_resumed() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let file = Validator::new(10, 7, i64::try_from(now.as_secs()).unwrap(), 0);
        let tag = file.etag();
        assert!(tag.starts_with("W/"), "{tag}");
        assert!(!judge(&file, &format!("If-Range: {tag}\r\n")).1);
        assert!(!judge(&file, &format!("If-Range: {}\r\n", &tag[2..])).1);
        assert_eq!(judge(&file, &format!("If-None-Match: {tag}\r\n")).0, Verdict::NotModified);
        assert_eq!(judge(&file, &format!("If-Match: {tag}\r\n")).0, Verdict::Failed);
    }

    #[test]
    fn every_time_has_a_date_and_every_change_another_tag() {
        for seconds in [i64::MIN, -1, 0, 253_402_300_800, i64::MAX] {
            assert!(Validator::new(0, 0, seconds, 0).last_modified().ends_with("GMT"));
        }
        let tags = [(10, 7, 0, 0), (11, 7, 0, 0), (10, 8, 0, 0), (10, 7, 1, 0), (10, 7, 0, 1)];
        let tags = tags.map(|(size, inode, s, ns)| Validator::new(size, inode, s, ns).etag());
        for (index, tag) in tags.iter().enumerate() {
            assert!(!tags[..index].contains(tag), "{tag}");
        }
    }
}

//! What is wrong in one stream of lines, as of its last line: a later line can cancel an earlier one.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::line::Line;
use super::matcher::Writer;
use super::patterns::{Effect, Pattern, Tell};
use crate::redact::{self, head};
use crate::rules::RuleId;

/// Different faults that are remembered of one stream.
const MOST: usize = 64;
/// Bytes of a line that are kept: it is redacted before it is cut to an excerpt, and the name of a secret may be far
/// in front of it.
const KEPT: usize = 16 << 10;
/// A start that fails does so within so many seconds.
const STARTUP: i64 = 5;
/// As many equal lines without a time stamp are as many ends; fewer may be one, pasted twice.
const RUN: u32 = 3;

/// A line that says that something is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symptom<'a> {
    pub(crate) pattern: &'static Pattern,
    /// Whose words these are.
    pub(crate) writer: Writer,
    /// What it is about, where there can be several: a host, an upstream.
    pub(crate) subject: &'a str,
    pub(crate) number: u64,
    pub(crate) line: &'a Line<'a>,
    /// Whether no other program writes such a line.
    pub(crate) sure: bool,
}

/// A fault and how often it was seen.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The row of the table.
    pub(crate) rule: Option<RuleId>,
    /// Whose words these are.
    pub(crate) writer: Writer,
    pub(crate) effect: Effect,
    /// The wording of the last time.
    pattern: &'static Pattern,
    /// Advice for this wording, where the row's does not fit.
    pub(crate) fix: Option<&'static str>,
    pub(crate) subject: String,
    pub(crate) count: u32,
    /// Whether it was said in the same words each time.
    pub(crate) same: bool,
    /// How many lives ended with it.
    pub(crate) ends: u32,
    /// Whether the program had said that it began well before it ended of this.
    pub(crate) after_start: bool,
    /// Line of the words that are kept.
    pub(crate) number: u64,
    /// Last line of the same message.
    pub(crate) latest: u64,
    /// Moment of the last time.
    pub(crate) at: Option<i64>,
    /// Words of the last time, as they were printed: quoted only by [`Fault::excerpt`].
    pub(crate) text: String,
    /// Whether a later line made up for it.
    pub(crate) healed: bool,
    /// Whether the program that ended of it was started again, and listens.
    pub(crate) survived: bool,
    /// Whether it was met each time after the program listened or answered a call.
    at_work: bool,
    /// Whether the same program answered a call since; of a host without a route: whether another host's call was.
    pub(crate) answered: bool,
    /// Whether no other program writes such a line.
    pub(crate) sure: bool,
    /// Of the words, so that a line that was pasted twice counts once.
    seen: u64,
    run: u32,
}

impl Fault {
    /// The first time. `started`: the program had begun well before; `seen`: hash of the line.
    fn of(symptom: &Symptom<'_>, started: bool, seen: u64) -> Self {
        Self {
            rule: symptom.pattern.rule,
            writer: symptom.writer,
            effect: symptom.pattern.effect,
            pattern: symptom.pattern,
            fix: symptom.pattern.fix,
            subject: symptom.subject.to_owned(),
            count: 1,
            same: true,
            ends: u32::from(symptom.pattern.effect == Effect::Fatal),
            after_start: started,
            number: symptom.number,
            latest: symptom.number,
            at: symptom.line.at,
            text: cut(symptom.line.text, symptom.pattern.head()).to_owned(),
            healed: false,
            survived: false,
            at_work: true,
            answered: false,
            sure: symptom.sure,
            seen,
            run: 1,
        }
    }

    /// Whether a line counts once more, and is not a second piece of the same long line, a second line of the same
    /// message, or one that was pasted twice.
    fn is_another(&mut self, symptom: &Symptom<'_>, seen: u64) -> bool {
        // Node prints the error's properties below it, indented.
        let later = symptom.line.at.zip(self.at).is_some_and(|(now, last)| now - last > STARTUP);
        if symptom.line.text.starts_with([' ', '\t']) && seen != self.seen && !later {
            return false;
        }
        // npm says on lines of its own what failed, where, and with which number.
        let npm = symptom.line.text.starts_with("npm ") && self.text.starts_with("npm ");
        let adjacent = symptom.number <= self.latest + if npm { 4 } else { 1 };
        match (symptom.line.at, adjacent, seen == self.seen) {
            // Workers die one after the other.
            (None, true, false) if self.rule == Some(RuleId::UpstreamWorkersDie) => true,
            // Docker starts what ends at once several times within a second.
            (None, _, true) | (Some(_), true, true) if self.effect == Effect::Fatal || symptom.line.at.is_none() => {
                self.run += 1;
                self.run >= RUN
            }
            (_, _, true) | (None, true, false) => false,
            (Some(_), _, false) | (None, false, false) => {
                self.run = 1;
                true
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    all: Vec<Fault>,
    /// Whether the program has said that it began well since it last ended.
    started: bool,
    /// When it said so.
    started_at: Option<i64>,
}

/// At most so many bytes of a text, with the place of interest in the middle.
fn cut<'a>(text: &'a str, around: &str) -> &'a str {
    if text.len() <= KEPT {
        return text;
    }
    let at = text.find(around).unwrap_or(0);
    let from = head(text, at.saturating_sub(KEPT / 2)).len();
    head(&text[from..], KEPT)
}

impl Fault {
    /// Whether its wording tells this, too.
    pub(crate) fn tells(&self, tell: Tell) -> bool {
        self.pattern.has(tell)
    }

    /// Whether it comes back in the next life, too: a start does not make up for it.
    pub(crate) fn lasts(&self) -> bool {
        matches!(self.rule, Some(RuleId::HeapExhausted | RuleId::OutOfMemory))
    }

    /// Whether it is the container's, whatever program printed it.
    pub(crate) fn is_anyones(&self) -> bool {
        self.pattern.is_anyones
    }

    /// Its words as evidence, around what they mean.
    pub(crate) fn excerpt(&self) -> String {
        // The right side of the box that cloudflared draws around its checks.
        redact::excerpt(self.text.trim().trim_end_matches([' ', '|']), self.pattern.head())
    }
}

impl Faults {
    /// Takes a line that says that something is wrong. Whether a program ended of it, and it was not said before.
    pub(crate) fn record(&mut self, symptom: &Symptom<'_>) -> bool {
        let ends = symptom.pattern.effect == Effect::Fatal;
        let mut hasher = DefaultHasher::new();
        (symptom.line.at, symptom.line.stamps, symptom.line.text).hash(&mut hasher);
        let seen = hasher.finish();
        let rule = symptom.pattern.rule;
        // What fails as a program starts fails at once: a good start long before was another life's.
        let recent = self.started_at.zip(symptom.line.at).is_none_or(|(start, end)| end - start <= STARTUP);
        let started = std::mem::take(&mut self.started) && ends && recent;
        let known = |f: &&mut Fault| f.rule == rule && f.writer == symptom.writer && f.subject == symptom.subject;
        let Some(fault) = self.all.iter_mut().find(known) else {
            if self.all.len() < MOST {
                self.all.push(Fault::of(symptom, started, seen));
            }
            return ends;
        };
        // It ended of this before, and now says on the way to the next end what it tries.
        if fault.effect == Effect::Fatal && !ends && !fault.healed {
            return false;
        }
        (fault.healed, fault.survived, fault.answered) = (false, false, false);
        fault.sure |= symptom.sure;
        // A log that was pasted twice goes back in time.
        let earlier = symptom.line.at.zip(fault.at).is_some_and(|(at, last)| at < last);
        fault.after_start |= started && !earlier;
        let counts = !earlier && fault.is_another(symptom, seen);
        fault.latest = symptom.number;
        let text = cut(symptom.line.text, symptom.pattern.head());
        fault.same &= fault.text == text;
        if !counts {
            return false;
        }
        fault.number = symptom.number;
        // The one before was taken for the same, pasted twice.
        let times = if fault.run == RUN { RUN - 1 } else { 1 };
        fault.count = fault.count.saturating_add(times);
        if ends {
            fault.ends = fault.ends.saturating_add(times);
        }
        fault.seen = seen;
        (fault.pattern, fault.fix) = (symptom.pattern, symptom.pattern.fix.or(fault.fix));
        fault.at = symptom.line.at;
        fault.effect = if ends { Effect::Fatal } else { fault.effect };
        fault.text.clear();
        fault.text.push_str(text);
        ends
    }

    /// The program says that it began well: makes up for what had ended it before it could say so.
    pub(crate) fn started(&mut self, writer: Writer, at: Option<i64>) {
        (self.started, self.started_at) = (true, at);
        self.restart(false, |f| f.writer == writer && f.effect == Effect::Fatal && !f.after_start);
    }

    /// Makes up for faults.
    pub(crate) fn heal(&mut self, which: impl Fn(&Fault) -> bool) {
        for fault in self.all.iter_mut().filter(|f| which(f)) {
            fault.healed = true;
        }
    }

    /// A call passed, which changes nothing of it.
    pub(crate) fn outlive(&mut self, rule: RuleId) {
        for fault in self.all.iter_mut().filter(|f| f.rule == Some(rule) && !f.healed) {
            fault.survived = true;
        }
    }

    /// Says whether the program was at work as it met what no row explains: what fails as it starts may be missing for good.
    pub(crate) fn met(&mut self, subject: &str, at_work: bool) {
        let is_it = |f: &&mut Fault| f.rule == Some(RuleId::UnexplainedError) && f.subject == subject;
        if let Some(fault) = self.all.iter_mut().find(is_it) {
            fault.at_work &= at_work;
        }
    }

    /// The program answered a call: what it met at work did not keep it from that.
    pub(crate) fn answer(&mut self) {
        for fault in self.all.iter_mut().filter(|f| f.rule == Some(RuleId::UnexplainedError)) {
            fault.answered |= fault.writer == Writer::Server && fault.at_work;
        }
    }

    /// Another call was answered since, which makes up for nothing of it.
    pub(crate) fn pass_besides(&mut self, rule: RuleId) {
        for fault in self.all.iter_mut().filter(|f| f.rule == Some(rule)) {
            fault.answered = true;
        }
    }

    /// The program's calls were answered between two moments. `dated`: number and moment of its last line with a time,
    /// which an error without one came before.
    pub(crate) fn answered_between(&mut self, (first, last): (i64, i64), dated: Option<(u64, i64)>) {
        for fault in self.all.iter_mut().filter(|f| f.rule == Some(RuleId::UnexplainedError)) {
            let later = || dated.filter(|(number, _)| *number > fault.latest).map(|(_, at)| at);
            let before = fault.at.or_else(later).is_some_and(|at| at < last);
            let at_work = fault.at_work || fault.at.is_some_and(|at| first < at);
            fault.answered |= fault.writer == Writer::Server && before && at_work;
        }
    }

    /// Makes up for faults by a start: those that last are only over for now. `crashed`: the program was at work when it
    /// ended of what it said last.
    pub(crate) fn restart(&mut self, crashed: bool, which: impl Fn(&Fault) -> bool) {
        let crashes = [RuleId::UnexplainedError, RuleId::UpstreamTraceback];
        let open = self.all.iter().filter(|f| !f.healed && !f.survived);
        let last = open.filter(|_| crashed).map(|f| f.latest).max();
        for fault in self.all.iter_mut().filter(|f| which(f)) {
            let ended = last == Some(fault.latest) && fault.rule.is_some_and(|rule| crashes.contains(&rule));
            let lasts = fault.survived || !fault.healed && (fault.lasts() || ended);
            (fault.survived, fault.healed) = (lasts, !lasts);
        }
    }

    /// Forgets faults of a life that is over.
    pub(crate) fn forget(&mut self, which: impl Fn(&Fault) -> bool) {
        self.all.retain(|f| !which(f));
    }

    /// What is wrong now.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Fault> {
        self.all.iter().filter(|f| !f.healed)
    }

    /// What was wrong and is no longer.
    pub(crate) fn healed(&self) -> impl Iterator<Item = &Fault> {
        self.all.iter().filter(|f| f.healed)
    }

    /// What is wrong now, by its rule.
    pub(crate) fn find(&self, rule: Option<RuleId>) -> Option<&Fault> {
        self.open().find(|f| f.rule == rule)
    }
}

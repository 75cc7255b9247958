//! What a Dockerfile carries out up to the stage that a service starts, and which files of its folder it has by then.

use super::ignored::globs;
use super::image::{copied, dockerfile, instructions};
use crate::config::yaml;
use crate::deployment::Deployment;
use crate::model::found::Found;

/// A build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Build {
    /// The Dockerfile: its path inside the directory, or `dockerfile_inline`.
    pub(crate) file: String,
    /// The instructions of the stages that count; the others are empty.
    pub(crate) lines: Vec<String>,
    /// The line of each instruction in the Dockerfile.
    pub(super) numbers: Vec<usize>,
    /// What comes from the folder of the build: the number of the instruction, sources, and the path in the image.
    copies: Vec<(usize, Vec<String>, String)>,
}

/// That of a service, if it is built in the directory.
pub(crate) fn build(deployment: &Deployment, found: &Found, service: &str) -> Option<Build> {
    let (file, text) = dockerfile(deployment, found, service)?;
    let target = found.service(service, "build").and_then(|build| yaml::at(build, &["target"])).and_then(yaml::scalar);
    Some(Build { file, ..Build::read(&text, target.as_deref()) })
}

impl Build {
    fn read(text: &str, target: Option<&str>) -> Self {
        let (numbers, all): (Vec<usize>, Vec<String>) = instructions(text).into_iter().unzip();
        let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let begins: Vec<usize> = (0..all.len()).filter(|at| is(&all[*at], "FROM")).collect();
        let name = |at: usize| words(&all[at]).last().cloned().unwrap_or_default();
        let stage = |name_of: &str| {
            let number = name_of.parse().ok().filter(|number| *number < begins.len());
            begins.iter().position(|at| name(*at).eq_ignore_ascii_case(name_of)).or(number)
        };
        let lines_of = |stage: usize| begins[stage]..begins.get(stage + 1).copied().unwrap_or(all.len());
        let mut needed: Vec<usize> = match target {
            Some(target) => stage(target).into_iter().collect(),
            None => begins.len().checked_sub(1).into_iter().collect(),
        };
        let mut at = 0;
        while let Some(one) = needed.get(at).copied() {
            for line in lines_of(one).flat_map(|line| words(&all[line])) {
                let from = line.strip_prefix("--from=").unwrap_or(&line).split(',').next().unwrap_or_default();
                let earlier = stage(from).filter(|stage| *stage < one && !needed.contains(stage));
                needed.extend(earlier.filter(|_| line.starts_with("--from=") || from.parse::<usize>().is_err()));
            }
            at += 1;
        }
        let counts = |at: &usize| begins.is_empty() || needed.iter().any(|stage| lines_of(*stage).contains(at));
        let copies = all.iter().enumerate().filter(|(at, _)| counts(at)).flat_map(|(at, line)| {
            let rest = line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
            let is_copy = is(line, "COPY") || is(line, "ADD");
            let copy = is_copy.then(|| copied(rest, None)).flatten().into_iter();
            copy.chain(mounted(line)).map(move |(sources, to)| (at, sources, to))
        });
        let copies = copies.collect();
        let lines = all.iter().enumerate().map(|(at, line)| if counts(&at) { line.clone() } else { String::new() });
        Self { file: String::new(), lines: lines.collect(), numbers, copies }
    }

    /// What may be at a path of the image when the instruction of a number runs, in the folder of the build.
    pub(crate) fn sources(&self, at: usize, path: &str) -> impl Iterator<Item = String> {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let below = path.trim_start_matches("./").trim_start_matches('/').to_owned();
        let one = move |sources: &[String], to: &str| {
            let is_renamed = sources.len() == 1 && !to.ends_with('/') && to.rsplit('/').next() == Some(&name);
            let of = |source: &String| {
                let (folder, last) = source.rsplit_once('/').unwrap_or(("", source));
                let beside = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                match source.as_str() {
                    "." => vec![below.clone(), name.clone()],
                    _ if is_renamed => vec![source.clone()],
                    _ if globs(last, &name) => vec![beside(&name)],
                    _ => vec![format!("{source}/{below}"), format!("{source}/{name}")],
                }
            };
            sources.iter().flat_map(of).collect::<Vec<_>>()
        };
        let copies = self.copies.iter().rev().filter(move |(copied, ..)| *copied <= at);
        copies.flat_map(move |(_, sources, to)| one(sources, to)).collect::<Vec<_>>().into_iter()
    }
}

fn is(line: &str, instruction: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(instruction))
}

/// What `RUN --mount=type=bind,…` shows: https://docs.docker.com/reference/dockerfile/#run---mounttypebind.
fn mounted(line: &str) -> Vec<(Vec<String>, String)> {
    let mounts = line.split_whitespace().filter_map(|word| word.strip_prefix("--mount="));
    let one = |mount: &str| {
        let said = |names: &[&str]| {
            let mut pairs = mount.split(',').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| names.contains(name)).map(|(_, value)| value.to_owned())
        };
        let is_bind = said(&["type"]).is_none_or(|kind| kind == "bind") && said(&["from"]).is_none();
        let source = said(&["source", "src"]).unwrap_or_else(|| ".".into());
        is_bind.then(|| (vec![source], said(&["target", "dst", "destination"]).unwrap_or_default()))
    };
    mounts.filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_that_count_and_what_they_have_by_then() {
        let text = "FROM python:3.13 AS base\nCOPY docker/reqs.txt requirements.txt\nRUN pip install -r requirements.txt\nFROM base AS test\nRUN pip install mcp\nFROM base\nCOPY . .\nRUN --mount=type=bind,source=uv.lock,target=uv.lock uv sync\n";
        let build = Build::read(text, None);
        let shown: Vec<&str> = build.lines.iter().map(|line| line.split_whitespace().next().unwrap_or("-")).collect();
        assert_eq!(shown, ["FROM", "COPY", "RUN", "-", "-", "FROM", "COPY", "RUN"]);
        let of = |at: usize, path: &str| build.sources(at, path).collect::<Vec<_>>();
        assert_eq!(of(2, "requirements.txt"), ["docker/reqs.txt"]);
        assert_eq!(of(2, "uv.lock"), ["docker/reqs.txt/uv.lock", "docker/reqs.txt/uv.lock"]);
        assert_eq!(of(7, "uv.lock").first().map(String::as_str), Some("uv.lock"));
        let test = Build::read(text, Some("test"));
        assert!(test.lines[4].starts_with("RUN") && test.lines[7].is_empty());
        assert!(Build::read("FROM a AS x\nRUN y\nFROM b\nCOPY --from=x /y /y\n", None).lines[1].starts_with("RUN"));
    }
}

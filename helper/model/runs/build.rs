//! What a Dockerfile carries out up to the stage that a service starts, and which files of its folder it has by then.

use super::ignored::globs;
use super::image::{Instruction, copied, dockerfile, instructions};
use crate::deployment::Deployment;
use crate::model::found::Found;
use crate::model::paths::below;

/// A build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Build {
    /// The Dockerfile: its path inside the directory, or `dockerfile_inline`.
    pub(crate) file: String,
    /// The instructions of the stages that count.
    pub(crate) steps: Vec<Instruction>,
    /// What comes from the folder of the build: the line of the instruction, sources, and the path in the image.
    copies: Vec<(usize, Vec<String>, String)>,
}

/// That of a service, if it is built in the directory.
pub(crate) fn build(deployment: &Deployment, found: &Found, service: &str) -> Option<Build> {
    let (file, text, target) = dockerfile(deployment, found, service)?;
    Some(Build { file, ..Build::read(&text, target.as_deref()) })
}

impl Build {
    fn read(text: &str, target: Option<&str>) -> Self {
        // Each stage begins with its FROM.
        let mut stages: Vec<Vec<Instruction>> = vec![Vec::new()];
        for step in instructions(text) {
            match step.word == "FROM" {
                true => stages.push(vec![step]),
                false => stages.last_mut().into_iter().for_each(|stage| stage.push(step.clone())),
            }
        }
        let named = |word: &str| {
            let is_it = |stage: &Vec<Instruction>| {
                stage[0].rest.split_whitespace().last().is_some_and(|name| name.eq_ignore_ascii_case(word))
            };
            let number = || word.parse().ok().map(|number: usize| number + 1).filter(|at| *at < stages.len());
            stages.iter().skip(1).position(is_it).map(|at| at + 1).or_else(number)
        };
        let last = || Some(stages.len() - 1);
        let mut needed: Vec<usize> = target.map_or_else(last, named).into_iter().collect();
        let mut at = 0;
        while let Some(one) = needed.get(at).copied() {
            for word in stages[one].iter().flat_map(|step| step.rest.split_whitespace()) {
                let from = word.strip_prefix("--from=").unwrap_or(word).split(',').next().unwrap_or_default();
                let earlier = named(from).filter(|stage| *stage < one && !needed.contains(stage));
                needed.extend(earlier.filter(|_| word.starts_with("--from=") || from.parse::<usize>().is_err()));
            }
            at += 1;
        }
        needed.sort_unstable();
        let steps: Vec<Instruction> = needed.into_iter().flat_map(|stage| stages[stage].clone()).collect();
        let of_step = |step: &Instruction| {
            let copy = step.is_copy().then(|| copied(&step.rest, None)).flatten().into_iter();
            let all: Vec<_> = copy.chain(mounted(&step.rest)).map(|(sources, to)| (step.line, sources, to)).collect();
            all
        };
        let copies = steps.iter().flat_map(of_step).collect();
        Self { file: String::new(), steps, copies }
    }

    /// What may be at a path of the image when the instruction in a line runs, in the folder of the build.
    pub(crate) fn sources(&self, at: usize, path: &str) -> impl Iterator<Item = String> {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let bare = path.trim_start_matches("./").trim_start_matches('/').to_owned();
        let one = move |sources: &[String], to: &str| {
            let is_renamed = sources.len() == 1 && !to.ends_with('/') && to.rsplit('/').next() == Some(&name);
            let of = |source: &String| {
                let (folder, last) = source.rsplit_once('/').unwrap_or(("", source));
                match source.as_str() {
                    "." => vec![bare.clone(), name.clone()],
                    _ if is_renamed => vec![source.clone()],
                    _ if globs(last, &name) => vec![below(folder, &name)],
                    _ => vec![format!("{source}/{bare}"), format!("{source}/{name}")],
                }
            };
            sources.iter().flat_map(of).collect::<Vec<_>>()
        };
        let copies = self.copies.iter().rev().filter(move |(copied, ..)| *copied <= at);
        copies.flat_map(move |(_, sources, to)| one(sources, to)).collect::<Vec<_>>().into_iter()
    }
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
        let shown: Vec<(usize, &str)> = build.steps.iter().map(|step| (step.line, step.word.as_str())).collect();
        assert_eq!(shown, [(1, "FROM"), (2, "COPY"), (3, "RUN"), (6, "FROM"), (7, "COPY"), (8, "RUN")]);
        let of = |line: usize, path: &str| build.sources(line, path).collect::<Vec<_>>();
        assert_eq!(of(3, "requirements.txt"), ["docker/reqs.txt"]);
        assert_eq!(of(3, "uv.lock"), ["docker/reqs.txt/uv.lock", "docker/reqs.txt/uv.lock"]);
        assert_eq!(of(8, "uv.lock").first().map(String::as_str), Some("uv.lock"));
        let lines = |text: &str, target: Option<&str>| -> Vec<usize> {
            Build::read(text, target).steps.iter().map(|step| step.line).collect()
        };
        assert_eq!(lines(text, Some("test")), [1, 2, 3, 4, 5]);
        assert_eq!(lines(text, Some("1")), [1, 2, 3, 4, 5]);
        assert_eq!(lines(text, Some("other")), [0; 0]);
        assert_eq!(lines("FROM a AS x\nRUN y\nFROM b\nCOPY --from=x /y /y\n", None), [1, 2, 3, 4]);
        assert_eq!(lines("RUN y\n", None), [1]);
    }
}

//! Components and what needs what.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::component::{Component, Ecosystem, Kind, Scope};

type Key = (Ecosystem, String, Option<String>, Kind);

/// What one lock file or manifest says.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// The file, relative to the target.
    pub(crate) path: String,
    /// The project the file belongs to, with its folder.
    pub(crate) project: Option<Component>,
    /// In any order.
    pub(crate) components: Vec<Component>,
    /// Positions in `components`: who needs whom.
    pub(crate) edges: Vec<(usize, usize)>,
    /// Components the project asks for itself.
    pub(crate) direct: Vec<(usize, Scope)>,
    /// Scopes follow from the direct ones; the file does not say them.
    pub(crate) derive_scopes: bool,
    /// The file lists edges: a component without any needs nothing.
    pub(crate) has_edges: bool,
}

impl Part {
    /// An empty part of `path`.
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Adds a component and returns its position.
    pub(crate) fn add(&mut self, component: Component) -> usize {
        self.components.push(component);
        self.components.len() - 1
    }

    /// Adds a component that the project asks for itself.
    pub(crate) fn add_direct(&mut self, component: Component) -> usize {
        let scope = component.scope;
        let at = self.add(component);
        self.direct.push((at, scope));
        at
    }

    /// Gives every component the widest scope of the direct ones that reach it.
    fn spread_scopes(&mut self) {
        let mut needs: Vec<Vec<usize>> = vec![Vec::new(); self.components.len()];
        for (from, to) in &self.edges {
            needs[*from].push(*to);
        }
        let mut scopes: Vec<Option<Scope>> = vec![None; self.components.len()];
        for scope in [Scope::Required, Scope::Optional, Scope::Dev] {
            let of_scope = self.direct.iter().filter(|it| it.1 == scope).map(|it| it.0);
            let mut waiting: VecDeque<usize> = of_scope.collect();
            while let Some(at) = waiting.pop_front() {
                if scopes[at].is_none() {
                    scopes[at] = Some(scope);
                    waiting.extend(&needs[at]);
                }
            }
        }
        for (component, scope) in self.components.iter_mut().zip(scopes) {
            component.scope = scope.unwrap_or(component.scope);
        }
    }
}

/// Everything that was found, each component once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) components: Vec<Component>,
    /// Who needs whom, without repetition.
    pub(crate) needs: BTreeMap<usize, BTreeSet<usize>>,
    /// Projects found in the target, as positions.
    pub(crate) projects: BTreeSet<usize>,
    /// Components whose needs are not listed by any file.
    pub(crate) open_ended: BTreeSet<usize>,
    index: HashMap<Key, usize>,
}

impl Graph {
    /// Adds a part; equal components become one.
    pub(crate) fn add(&mut self, mut part: Part) {
        if part.derive_scopes {
            part.spread_scopes();
        }
        let project = part.project.map(|it| {
            let at = self.put(Component { kind: Kind::Project, ..it }, &part.path);
            self.projects.insert(at);
            at
        });
        let places: Vec<usize> = part.components.into_iter().map(|it| self.put(it, &part.path)).collect();
        if !part.has_edges {
            self.open_ended.extend(places.iter().filter(|it| !self.needs.contains_key(it)));
        }
        for (from, to) in part.edges {
            self.connect(places[from], places[to]);
        }
        for (at, _) in part.direct {
            if let Some(project) = project {
                self.connect(project, places[at]);
            }
        }
    }

    /// Adds one component or joins it with its equal.
    pub(crate) fn put(&mut self, mut component: Component, path: &str) -> usize {
        if !path.is_empty() {
            component.seen_in(path);
        }
        let next = self.components.len();
        let at = *self.index.entry(component.key()).or_insert(next);
        if at == next {
            self.components.push(component);
        } else {
            self.components[at].join(component);
        }
        at
    }

    /// Records that `from` needs `to`.
    pub(crate) fn connect(&mut self, from: usize, to: usize) {
        if from != to {
            self.open_ended.remove(&from);
            self.needs.entry(from).or_default().insert(to);
        }
    }

    /// Adds a project that holds everything that nothing else needs.
    pub(crate) fn hold(&mut self, project: Component, path: &str) {
        let starts = self.starts();
        let at = self.put(Component { kind: Kind::Project, ..project }, path);
        self.projects.insert(at);
        starts.into_iter().for_each(|it| self.connect(at, it));
    }

    /// How many edges there are.
    pub(crate) fn edges(&self) -> usize {
        self.needs.values().map(BTreeSet::len).sum()
    }

    /// Positions that nothing needs, and projects: where paths begin.
    pub(crate) fn starts(&self) -> BTreeSet<usize> {
        let needed: BTreeSet<usize> = self.needs.values().flatten().copied().collect();
        let free = (0..self.components.len()).filter(|it| !needed.contains(it));
        free.chain(self.projects.iter().copied()).collect()
    }

    /// Components that a project asks for itself.
    pub(crate) fn direct(&self) -> BTreeSet<usize> {
        self.projects.iter().filter_map(|it| self.needs.get(it)).flatten().copied().collect()
    }

    /// The components in a fixed order, whatever the order of the files, dropping what `keep` refuses.
    pub(crate) fn sorted(self, keep: impl Fn(&Component) -> bool) -> Self {
        let mut order: Vec<usize> = (0..self.components.len()).collect();
        order.retain(|at| keep(&self.components[*at]));
        order.sort_by_cached_key(|at| self.components[*at].key());
        let moved: HashMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let mut slots: Vec<Option<Component>> = self.components.into_iter().map(Some).collect();
        let take = |old: &usize| slots[*old].take();
        let components: Vec<Component> = order.iter().filter_map(take).collect();
        let place = |old: &usize| moved.get(old).copied();
        let needs = self.needs.iter().filter_map(|(from, to)| {
            let to: BTreeSet<usize> = to.iter().filter_map(place).collect();
            Some((place(from)?, to)).filter(|it| !it.1.is_empty())
        });
        let needs = needs.collect();
        let projects = self.projects.iter().filter_map(place).collect();
        let open_ended = self.open_ended.iter().filter_map(place).collect();
        let index = components.iter().enumerate().map(|(at, it)| (it.key(), at)).collect();
        Self { components, needs, projects, open_ended, index }
    }

    /// The shortest way from a start to each of `targets`, at most `max` in all.
    pub(crate) fn paths_to(&self, target: usize, max: usize) -> Vec<Vec<usize>> {
        let mut needed_by: HashMap<usize, Vec<usize>> = HashMap::new();
        for (from, to) in &self.needs {
            to.iter().for_each(|it| needed_by.entry(*it).or_default().push(*from));
        }
        let starts = self.starts();
        // One step towards the target from each place: a tree of shortest ways, safe with cycles.
        let mut step: HashMap<usize, usize> = HashMap::from([(target, target)]);
        let mut waiting = VecDeque::from([target]);
        let mut found = Vec::new();
        while let Some(at) = waiting.pop_front() {
            if starts.contains(&at) {
                found.push(at);
                if found.len() == max {
                    break;
                }
            }
            for from in needed_by.get(&at).into_iter().flatten() {
                if !step.contains_key(from) {
                    step.insert(*from, at);
                    waiting.push_back(*from);
                }
            }
        }
        found.into_iter().map(|start| walk(&step, start, target)).collect()
    }

    /// Whether some component needs itself through others.
    pub(crate) fn has_cycle(&self) -> bool {
        let mut incoming = vec![0_usize; self.components.len()];
        self.needs.values().flatten().for_each(|it| incoming[*it] += 1);
        let mut free: Vec<usize> = (0..incoming.len()).filter(|it| incoming[*it] == 0).collect();
        let mut seen = 0;
        while let Some(at) = free.pop() {
            seen += 1;
            for to in self.needs.get(&at).into_iter().flatten() {
                incoming[*to] -= 1;
                if incoming[*to] == 0 {
                    free.push(*to);
                }
            }
        }
        seen < incoming.len()
    }
}

fn walk(step: &HashMap<usize, usize>, start: usize, target: usize) -> Vec<usize> {
    let mut path = vec![start];
    let mut at = start;
    while at != target {
        at = step[&at];
        path.push(at);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(edges: &[(usize, usize)], direct: &[(usize, Scope)]) -> Part {
        let mut part = Part { derive_scopes: true, has_edges: true, ..Part::new("lock") };
        part.project = Some(Component::new(Ecosystem::Npm, "app", "1"));
        for name in ["a", "b", "c", "d"] {
            part.add(Component::new(Ecosystem::Npm, name, "1"));
        }
        part.edges = edges.to_vec();
        part.direct = direct.to_vec();
        part
    }

    fn graph(edges: &[(usize, usize)], direct: &[(usize, Scope)]) -> Graph {
        let mut graph = Graph::default();
        graph.add(part(edges, direct));
        graph.sorted(|_| true)
    }

    fn names(graph: &Graph, path: &[usize]) -> String {
        path.iter().map(|it| graph.components[*it].name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn scopes_spread_and_the_widest_wins() {
        let graph = graph(&[(0, 2), (1, 2), (1, 3)], &[(0, Scope::Required), (1, Scope::Dev)]);
        let scope = |name: &str| graph.components.iter().find(|it| it.name == name).unwrap().scope;
        assert_eq!((scope("a"), scope("c")), (Scope::Required, Scope::Required));
        assert_eq!((scope("b"), scope("d")), (Scope::Dev, Scope::Dev));
    }

    #[test]
    fn ways_are_found_through_cycles() {
        let graph = graph(&[(0, 1), (1, 2), (2, 0)], &[(0, Scope::Required)]);
        let target = graph.components.iter().position(|it| it.name == "c").unwrap();
        let paths = graph.paths_to(target, 9);
        assert_eq!(paths.iter().map(|it| names(&graph, it)).collect::<Vec<_>>(), ["app a b c"]);
        assert!(graph.has_cycle());
    }

    #[test]
    fn equal_components_of_two_files_are_one() {
        let mut graph = Graph::default();
        graph.add(part(&[(0, 1)], &[]));
        graph.add(part(&[(1, 2)], &[]));
        assert_eq!((graph.components.len(), graph.edges()), (5, 2));
        assert!(!graph.has_cycle());
    }
}

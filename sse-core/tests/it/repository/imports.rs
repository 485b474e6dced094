//! Which file of the crate's source uses which: the graph that the layering test checks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    slice,
};

use super::tokens::{block_end, is_name, item_end, tokens};

/// For each file, named by its path below `src`, the files that define what it uses.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// A module: a file, or a module inside of one.
#[derive(Default)]
struct Module {
    file: String,
    items: BTreeSet<String>,
    /// The names that `use` brings into scope, each with its path; `*` for all names of a module.
    imports: Vec<(String, Vec<String>)>,
    /// The other paths in the code.
    paths: Vec<Vec<String>>,
    /// Whether the module has more than a list of modules and re-exports.
    has_code: bool,
}

/// The modules of a crate, by their paths without `crate`.
#[derive(Default)]
pub struct Modules(BTreeMap<Vec<String>, Module>);

/// Where a path leads.
enum Target {
    File(String),
    /// A module that only re-exports.
    Face,
    Unknown,
}

impl Modules {
    /// Reads the source below a folder, without the tests in it.
    pub fn read(folder: &Path) -> Self {
        let mut modules = Self::default();
        modules.read_folder(folder, folder);
        modules
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if path.is_dir() {
                self.read_folder(root, &path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("below the root").display().to_string();
                self.add(&name, &fs::read_to_string(&path).expect("readable"));
            }
        }
    }

    /// Adds a file, named by its path below `src`.
    pub fn add(&mut self, file: &str, text: &str) {
        let mut path: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        path.pop_if(|last| last == "mod" || last == "lib");
        self.parse(path, file, &tokens(text));
    }

    fn parse(&mut self, path: Vec<String>, file: &str, tokens: &[String]) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        let at = |index: usize| tokens.get(index).map_or("", String::as_str);
        let (mut index, mut depth) = (0, 0);
        while index < tokens.len() {
            match at(index) {
                "#" => {
                    let end = block_end(tokens, index, ["[", "]"]);
                    let is_left_out =
                        ["#[cfg(test)]", "#[cfg(doc)]"].contains(&&*tokens[index..end].concat());
                    index = if is_left_out { item_end(tokens, end) } else { end };
                    continue;
                }
                "use" => {
                    let end = index + tokens[index..].iter().take_while(|token| *token != ";").count();
                    expand(&tokens[index + 1..end], &[], &mut module.imports);
                    index = end;
                    continue;
                }
                "mod" if at(index + 2) == "{" => {
                    let inner = [&*path, slice::from_ref(&tokens[index + 1])].concat();
                    let end = block_end(tokens, index, ["{", "}"]);
                    self.parse(inner, file, &tokens[index + 3..end - 1]);
                    index = end;
                    continue;
                }
                // A function at depth is a method.
                "fn" if depth > 0 => {}
                "fn" | "struct" | "enum" | "trait" | "type" | "union" | "static" | "const" => {
                    module.items.insert(at(index + 1).to_owned());
                    module.has_code = true;
                }
                "impl" | "macro_rules" => module.has_code = true,
                "{" => depth += 1,
                "}" => depth -= 1,
                name if at(index + 1) == "::" && is_name(name) => {
                    let before = if index == 0 { "" } else { at(index - 1) };
                    let mut used = vec![name.to_owned()];
                    while at(index + 1) == "::" && is_name(at(index + 2)) {
                        index += 2;
                        used.push(at(index).to_owned());
                    }
                    let is_visibility = before == "in" && at(index + 1) == ")";
                    let is_macro = at(index + 1) == "!";
                    if !(is_visibility || is_macro || before == "$" || before == "::") {
                        module.paths.push(used);
                    }
                }
                _ => {}
            }
            index += 1;
        }
        self.0.insert(path, module);
    }

    /// Returns the graph, and the paths within the crate that this reader cannot follow.
    pub fn graph(&self) -> (Graph, Vec<String>) {
        let (mut graph, mut unknown) = (Graph::new(), Vec::new());
        for (at, module) in self.0.iter().filter(|(_, module)| module.has_code) {
            let uses = graph.entry(module.file.clone()).or_default();
            for path in module.imports.iter().map(|(_, path)| path).chain(&module.paths) {
                match self.follow(at, path, &mut Vec::new()) {
                    Target::File(file) if file != module.file => drop(uses.insert(file)),
                    Target::Unknown if matches!(&*path[0], "crate" | "super" | "self") => {
                        unknown.push(format!("{}: {}", module.file, path.join("::")));
                    }
                    _ => {}
                }
            }
        }
        (graph, unknown)
    }

    /// Follows a path, as written in the module `at`, to the file that defines what it names.
    fn follow(&self, at: &[String], path: &[String], seen: &mut Vec<(Vec<String>, String)>) -> Target {
        let mut at = at.to_vec();
        for (index, name) in path.iter().enumerate() {
            let inner = [&*at, slice::from_ref(name)].concat();
            match &**name {
                "crate" => at.clear(),
                "self" | "*" => {}
                "super" => drop(at.pop()),
                _ if self.0.contains_key(&inner) => at = inner,
                _ => return self.find(&at, name, &path[index + 1..], seen),
            }
        }
        match self.0.get(&at) {
            Some(module) if module.has_code => Target::File(module.file.clone()),
            Some(_) => Target::Face,
            None => Target::Unknown,
        }
    }

    /// Finds the file that defines a name of the module `at`, which may import it; `rest` follows the name.
    fn find(
        &self,
        at: &[String],
        name: &str,
        rest: &[String],
        seen: &mut Vec<(Vec<String>, String)>,
    ) -> Target {
        let key = (at.to_vec(), name.to_owned());
        let Some(module) = self.0.get(at).filter(|_| !seen.contains(&key)) else { return Target::Unknown };
        seen.push(key);
        if module.items.contains(name) {
            return Target::File(module.file.clone());
        }
        let imported = module.imports.iter().filter(|(alias, _)| alias == name || alias == "*");
        let mut targets = imported.map(|(alias, path)| match &**alias {
            "*" => self.follow(at, &[path, slice::from_ref(&name.to_owned()), rest].concat(), seen),
            _ => self.follow(at, &[path, rest].concat(), seen),
        });
        targets.find(|target| !matches!(target, Target::Unknown)).unwrap_or(Target::Unknown)
    }
}

/// Returns the groups of files that use each other in a circle.
pub fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|file| (file, reachable(graph, file))).collect();
    let mut circles: Vec<Vec<String>> = Vec::new();
    for file in graph.keys().filter(|file| reached[file].contains(file)) {
        if !circles.iter().flatten().any(|known| known == file) {
            let others = reached[file].iter().filter(|other| reached[*other].contains(file));
            circles.push(others.map(|other| (*other).clone()).collect());
        }
    }
    circles
}

fn reachable<'a>(graph: &'a Graph, file: &'a String) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        next.extend(graph.get(file).into_iter().flatten().filter(|used| found.insert(*used)));
    }
    found
}

/// Adds the names of a `use`, such as `a::{self, b as c, d::*}`.
fn expand(tokens: &[String], before: &[String], names: &mut Vec<(String, Vec<String>)>) {
    let mut path = before.to_vec();
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "::" => {}
            "{" => {
                let group = &tokens[index + 1..block_end(tokens, index, ["{", "}"]) - 1];
                let mut depth = 0;
                let parts = group.split(|token| {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    depth == 0 && token == ","
                });
                return parts.filter(|part| !part.is_empty()).for_each(|part| expand(part, &path, names));
            }
            "as" => return names.push((tokens[index + 1].clone(), path)),
            _ => path.push(token.clone()),
        }
    }
    let own = path.iter().rev().find(|name| *name != "self");
    if let Some(own) = own {
        names.push((own.clone(), path.clone()));
    }
}

//! Which pages a viewer may see: those whose space he may view, and which no restriction on them, on a place above
//! them, or on the page they stand on keeps from him. It must not know what stands on a page. Invariant: what is not
//! known denies.

use super::{State, Viewer};
use crate::error::Result;
use crate::state::candidates::collect;
use knowledge::audience::Rule;
use std::collections::HashMap;

/// Steps from a page to the top of its tree, at most: a longer way is taken for a circle.
const DEEPEST: usize = 1_000;

/// A place in the tree.
struct Place {
    /// The space, which folders do not say.
    space: Option<String>,
    /// The page it stands on, or else what it stands below.
    above: Option<String>,
    is_page: bool,
    /// It is a page that is not in the wiki any more.
    is_gone: bool,
}

/// All places by id, and the rules that hold anywhere.
struct Tree {
    places: HashMap<String, Place>,
    rules: HashMap<String, Rule>,
}

impl State {
    /// Fills the table of the pages that a viewer may see; gives them, sorted.
    pub(super) fn place_pages(&self, viewer: &Viewer) -> Result<Vec<String>> {
        let tree = self.tree()?;
        let mut known: HashMap<&str, Option<usize>> = HashMap::new();
        let mut statement = self.connection().prepare("INSERT INTO temp.seen_page VALUES (?1)")?;
        let mut pages: Vec<&String> =
            tree.places.iter().filter(|(_, place)| place.is_page).map(|(page, _)| page).collect();
        pages.sort_unstable();
        let mut seen = Vec::new();
        for page in pages {
            if tree.height(page, viewer, &mut known).is_some() {
                statement.execute([page])?;
                seen.push(page.clone());
            }
        }
        Ok(seen)
    }

    /// Whether a viewer may see a page; false for one that is not there.
    pub fn may_see(&self, viewer: &Viewer, page: &str) -> Result<bool> {
        let tree = self.tree()?;
        let is_page = tree.places.get(page).is_some_and(|place| place.is_page);
        Ok(is_page && tree.height(page, viewer, &mut HashMap::new()).is_some())
    }

    fn tree(&self) -> Result<Tree> {
        let mut places = HashMap::new();
        let mut folders = self.connection().prepare("SELECT folder, parent FROM folder")?;
        for (folder, above) in collect(folders.query([])?, |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?
        {
            places.insert(folder, Place { space: None, above, is_page: false, is_gone: false });
        }
        // A comment is seen by whoever sees its page, whatever comment it answers.
        let mut pages = self
            .connection()
            .prepare("SELECT page, space, coalesce(stands_on, parent), gone FROM main.page")?;
        let found = collect(pages.query([])?, |row| {
            let place = Place { space: row.get(1)?, above: row.get(2)?, is_page: true, is_gone: row.get(3)? };
            Ok((row.get(0)?, place))
        })?;
        places.extend(found);
        let mut audience = self.connection().prepare("SELECT layer, rule FROM audience")?;
        let rules = collect(audience.query([])?, |row| {
            Ok((row.get(0)?, serde_json::from_str(&row.get::<_, String>(1)?)?))
        })?;
        Ok(Tree { places, rules: rules.into_iter().collect() })
    }
}

impl Tree {
    /// How far the top of the tree is, where nothing on the way keeps the viewer out: `known` notes it for all places
    /// on the way.
    fn height<'a>(
        &'a self,
        page: &'a str,
        viewer: &Viewer,
        known: &mut HashMap<&'a str, Option<usize>>,
    ) -> Option<usize> {
        let mut way: Vec<&str> = Vec::new();
        let mut at = Some(page);
        // Whoever is above a page that is there, and gone, archived or hidden itself, has rules that nobody sees.
        let mut is_gone = true;
        let mut height = loop {
            let Some(id) = at else { break Some(0) };
            if self.places.get(id).is_some_and(|place| place.is_gone) && !is_gone {
                break None;
            }
            if let Some(height) = known.get(id) {
                break *height;
            }
            let Some(place) = self.places.get(id).filter(|_| way.len() < DEEPEST) else { break None };
            way.push(id);
            is_gone = place.is_gone;
            if !self.passes(id, place, viewer) {
                break None;
            }
            at = place.above.as_deref();
        };
        // What stands below a closed door is closed.
        for id in way.into_iter().rev() {
            height = height.map(|height| height + 1).filter(|height| *height <= DEEPEST);
            known.insert(id, height);
        }
        height
    }

    fn passes(&self, id: &str, place: &Place, viewer: &Viewer) -> bool {
        let passes = |layer: &str| self.rules.get(layer).is_none_or(|rule| viewer.passes(rule));
        let space = place.space.as_ref().is_none_or(|space| passes(&format!("space:{space}")));
        space && passes(&format!("page:{id}"))
    }
}

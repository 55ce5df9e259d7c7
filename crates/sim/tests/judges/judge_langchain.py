"""LangChain's loader against the fake: all that a person may see of a space, with comments and files."""

import os

from langchain_community.document_loaders import ConfluenceLoader

url, on_cloud = os.environ["FAKE"], os.environ["DEPLOYMENT"] == "cloud"
if on_cloud:
    who = {"url": url + "/wiki", "username": "reader@example.com", "api_key": "reader-token"}
else:
    who = {"url": url, "token": "reader-token", "cloud": False}
# Otherwise it leaves out whatever has a restriction of its own, as if nobody might read it.
who["include_restricted_content"] = True
loader = ConfluenceLoader(space_key="OPS", include_comments=True, limit=50, max_pages=100_000, **who)
documents = loader.load()
ids = [document.metadata["id"] for document in documents]
assert len(ids) == len(set(ids)) == int(os.environ["PAGES"]), (len(ids), len(set(ids)), os.environ["PAGES"])
assert all(document.page_content.strip() for document in documents)
assert any("Is this still so?" in document.page_content for document in documents)
print(f"LangChain: {len(documents)} pages")

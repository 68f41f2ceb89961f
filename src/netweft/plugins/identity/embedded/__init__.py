"""Our own identity service, kept in the store: users, projects, roles, tokens.  No HTTP here, see `api/identity`.

`service.EmbeddedIdentity` is the plug-in, `login` how one comes by its tokens.  Below, each module is a set of
functions on a transaction: `directory` (users, projects, roles), `grants` (who has which role where), `credentials`
(application credentials), `tokens` (what a token stands for), `bootstrap` (the first start).
"""

// Package httpx is the HTTP layer that the lab's services share: handlers that
// return errors, one place that renders them, one chain of middleware, and a
// server that stops in order.
//
// A service makes a [Router], registers [HandlerFunc]s and probes on it, and
// passes it to [Run]:
//
//	ready := httpx.NewReadiness(database.Ping)
//	router := httpx.NewRouter(httpx.RouterConfig{Telemetry: tel, ServerName: "backend:8081", Classify: classify})
//	router.Handle("GET /users/{id}", getUser)
//	router.Probe("GET /health", httpx.Health)
//	router.Probe("GET /ready", ready.Probe)
//	err := httpx.Run(ctx, httpx.ServerConfig{Addr: addr, Handler: router, Telemetry: tel, Readiness: ready})
//
// Every error becomes an application/problem+json document (RFC 9457) there;
// see [Error] and [Problem]. What went wrong inside is logged with the request's
// trace and never sent.
package httpx

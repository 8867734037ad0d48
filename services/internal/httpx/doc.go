// Package httpx is the HTTP layer that the lab's services share: handlers that return
// errors, one place that renders those errors, one chain of middleware, and a server
// that shuts down step by step.
//
// A service creates a [Router], registers its handlers and probes, and passes the
// router to [Run]:
//
//	ready := httpx.NewReadiness(database.Ping)
//	router := httpx.NewRouter(httpx.RouterConfig{Telemetry: tel, ServerName: "backend:8081", Classify: classify})
//	router.Handle("GET /users/{id}", getUser)
//	router.Probe("GET /health", httpx.Health)
//	router.Probe("GET /ready", ready.Probe)
//	err := httpx.Run(ctx, httpx.ServerConfig{Addr: addr, Handler: router, Telemetry: tel, Readiness: ready})
//
// The router turns every error into an application/problem+json document (RFC 9457);
// see [Error] and [Problem]. The internal cause is logged with the request's trace id,
// and is never sent.
package httpx

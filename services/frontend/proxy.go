package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// apiPrefix is what the proxy takes off a path, and puts on a Location.
const apiPrefix = "/api"

// proxiedID is what a path's {id} may be made of to be passed on. Whether it is
// the id of a user is the backend's to say; that it stays one segment of a path
// is ours.
var proxiedID = regexp.MustCompile(`^[\w-]{1,64}$`)

// newProxy makes the reverse proxy from /api/… to the backend. The transport writes
// the trace context and the baggage into the request. The caller's own headers are
// taken out before: the transport overwrites no header for which it has no value, so
// that a tracestate would go on without its traceparent.
func newProxy(b *backendClient, tel *telemetry.Telemetry) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: b.client.Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, apiPrefix)
			r.Out.URL.RawPath = strings.TrimPrefix(r.In.URL.RawPath, apiPrefix)
			r.SetURL(b.base)
			r.SetXForwarded()
			r.Out.Header.Set(httpx.HeaderRequestID, httpx.RequestID(r.In.Context()))
			for _, name := range tel.Propagator.Fields() {
				r.Out.Header.Del(name)
			}
			r.Out.Header.Del("Cookie") // the frontend sets none: what comes is another site's on this host
		},
		ModifyResponse: func(res *http.Response) error { return modifyResponse(res, b.base) },
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			// Only kept here. The route's handler returns it, so that it is
			// logged and rendered where all errors are.
			if f, ok := r.Context().Value(proxyErrorKey{}).(*proxyError); ok {
				f.err = err
			}
		},
		ErrorLog: slog.NewLogLogger(tel.Logger.Handler(), slog.LevelWarn),
	}
}

type proxyErrorKey struct{}

// failure takes an error out of the reverse proxy.
type proxyError struct{ err error }

// proxyTo passes a request on to the backend's route.
func (s *server) proxyTo(route string) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if strings.Contains(route, "{id}") && !proxiedID.MatchString(r.PathValue("id")) {
			return httpx.Errorf(http.StatusBadRequest, "The id must be a whole number from 1.")
		}
		if err := bufferBody(w, r); err != nil {
			return err
		}
		failed := &proxyError{}
		ctx := context.WithValue(withRoute(r.Context(), route), proxyErrorKey{}, failed)
		s.proxy.ServeHTTP(w, r.WithContext(ctx))
		if failed.err != nil {
			return gatewayError(failed.err)
		}
		return nil
	}
}

// bufferBody reads the whole body before the backend is asked. So a body that is
// too large is 413 whatever the backend does, and a client that sends slowly
// holds a connection of ours, not one of the backend's.
func bufferBody(w http.ResponseWriter, r *http.Request) error {
	body, err := httpx.ReadBody(w, r)
	if err != nil || body == nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
	return nil
}

// modifyResponse makes an answer of the backend one of the frontend: the ids and
// the site's headers are set here already, and the proxy would add the backend's
// beside them; a Location leads through the frontend. Anything but JSON comes from
// something that is not the users API, and is an error. The body is read here: once
// the proxy has begun to send it, a backend that dies could only be told by cutting
// the connection.
func modifyResponse(res *http.Response, base *url.URL) error {
	res.Header.Del(httpx.HeaderRequestID)
	res.Header.Del(httpx.HeaderTraceID)
	res.Header.Del(httpx.HeaderTraceSampled)
	for name := range siteHeaders {
		res.Header.Del(name)
	}
	rewriteLocation(res.Header, base)
	switch mediaType(res.Header) {
	case "application/json", httpx.ProblemContentType:
		return bufferAnswer(res)
	}
	if res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		return nil
	}
	return malformedAnswer(fmt.Errorf("the backend answered %s with content of type %q", res.Status, res.Header.Get("Content-Type")))
}

// bufferAnswer reads the whole body of an answer to anything but HEAD.
func bufferAnswer(res *http.Response) error {
	if res.Request.Method == http.MethodHead {
		return nil
	}
	content, err := readAnswer(res.Body)
	if err != nil {
		return err
	}
	_ = res.Body.Close() // all of it is read
	res.Body = io.NopCloser(bytes.NewReader(content))
	res.ContentLength = int64(len(content))
	res.Header.Set("Content-Length", strconv.Itoa(len(content)))
	return nil
}

// rewriteLocation puts /api before a location on the backend, and drops any
// other: the frontend sends nobody elsewhere.
func rewriteLocation(h http.Header, base *url.URL) {
	location := h.Get("Location")
	if location == "" {
		return
	}
	target, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(target.Path, "/") || target.Host != "" && !strings.EqualFold(target.Host, base.Host) {
		h.Del("Location")
		return
	}
	target.Path = apiPrefix + strings.TrimPrefix(target.Path, strings.TrimSuffix(base.Path, "/"))
	local := url.URL{Path: target.Path, RawQuery: target.RawQuery}
	h.Set("Location", local.String())
}

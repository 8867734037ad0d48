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

// apiPrefix is removed from a request's path, and added to a Location.
const apiPrefix = "/api"

// proxiedID matches the ids that the proxy passes on. It makes sure that an id is one
// segment of the path. The backend decides whether it is a user's id.
var proxiedID = regexp.MustCompile(`^[\w-]{1,64}$`)

// newProxy returns the reverse proxy from /api/… to the backend. The transport adds the
// trace context and the baggage to the request. The caller's headers of that kind are
// removed first, because the transport leaves a header alone if it has no value for it:
// a tracestate could be passed on without its traceparent. A public endpoint removes those
// of formats that it does not know, too.
func newProxy(b *backendClient, tel *telemetry.Telemetry, public bool) *httputil.ReverseProxy {
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
			if public {
				httpx.RemoveContext(r.Out.Header)
			}
			r.Out.Header.Del("Cookie") // the frontend sets no cookies, so these belong to other sites on this host
		},
		ModifyResponse: func(res *http.Response) error { return modifyResponse(res, b.base) },
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			// The error is only stored here. The route's handler returns it, so that
			// the router logs and renders it like any other.
			if f, ok := r.Context().Value(proxyErrorKey{}).(*proxyError); ok {
				f.err = err
			}
		},
		ErrorLog: slog.NewLogLogger(tel.Logger.Handler(), slog.LevelWarn),
	}
}

type proxyErrorKey struct{}

// proxyError carries an error out of the reverse proxy.
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
			return gatewayError(ctx, failed.err)
		}
		return nil
	}
}

// bufferBody reads the complete body before the request goes to the backend. So a slow
// client occupies no connection to the backend, and the answer to a body that is too
// large does not depend on the backend.
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

// modifyResponse turns the backend's answer into one of the frontend. It removes the
// backend's ids and site headers, because the frontend has set its own. It makes a
// Location lead through the frontend. An answer that is not JSON does not come from the
// users API, and is an error: the answer's own if something between the two says that
// the backend is busy, such as a load balancer, and else 502. modifyResponse reads the complete body: if the backend
// dies while it sends, the client then gets an error and not a part of an answer.
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
	switch res.StatusCode {
	case http.StatusNoContent, http.StatusNotModified:
		return nil
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return problemError(res, nil)
	}
	return malformedAnswer(fmt.Errorf("the backend answered %s with content of type %q", res.Status, res.Header.Get("Content-Type")))
}

// bufferAnswer reads the complete body, unless the method is HEAD.
func bufferAnswer(res *http.Response) error {
	if res.Request.Method == http.MethodHead {
		return nil
	}
	content, err := readAnswer(res.Request.Context(), res.Body)
	if err != nil {
		return err
	}
	_ = res.Body.Close() // the body is read completely
	res.Body = io.NopCloser(bytes.NewReader(content))
	res.ContentLength = int64(len(content))
	res.Header.Set("Content-Length", strconv.Itoa(len(content)))
	return nil
}

// rewriteLocation adds /api to a location on the backend, and removes any other
// location, so that the frontend never redirects to another site.
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

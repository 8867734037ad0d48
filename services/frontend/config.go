package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
)

// defaultMaxInFlight is how many requests the frontend works on at once, by default. It is
// less than the backend's: a request that is rejected here costs least.
const defaultMaxInFlight = httpx.DefaultMaxInFlight / 2

// tracePlaceholder stands for the trace id in LAB_TRACE_URL.
const tracePlaceholder = "{trace_id}"

// config is the configuration from the environment. See [readConfig] for the variables.
type config struct {
	listen         string
	backend        *url.URL
	backendTimeout time.Duration
	traceURL       string
	faults         bool
	shutdownDelay  time.Duration
	maxInFlight    int
	publicEndpoint bool
	identity       *mutualtls.Identity // nil without TLS
}

// readConfig reads LISTEN_ADDR (":8080"), BACKEND_URL ("http://localhost:8081"),
// LAB_TRACE_URL (none), LAB_FAULTS (off, and so at a public endpoint), SHUTDOWN_DELAY ("0s"),
// MAX_REQUESTS_IN_FLIGHT (defaultMaxInFlight), PUBLIC_ENDPOINT (true) and the files of
// [mutualtls.FromEnvironment] (none). The error names all wrong variables.
func readConfig(getenv func(string) string) (config, error) {
	cfg := config{listen: getenv("LISTEN_ADDR"), backendTimeout: backendTimeout}
	if cfg.listen == "" {
		cfg.listen = ":8080"
	}
	var errs []error
	if _, _, err := net.SplitHostPort(cfg.listen); err != nil {
		errs = append(errs, fmt.Errorf("LISTEN_ADDR must be host:port or :port: %w", err))
	}
	var err error
	if cfg.backend, err = parseBackendURL(getenv("BACKEND_URL")); err != nil {
		errs = append(errs, err)
	}
	if cfg.traceURL, err = parseTraceURL(getenv("LAB_TRACE_URL")); err != nil {
		errs = append(errs, err)
	}
	if text := getenv("SHUTDOWN_DELAY"); text != "" {
		cfg.shutdownDelay, err = time.ParseDuration(text)
		if err != nil || cfg.shutdownDelay < 0 {
			errs = append(errs, fmt.Errorf("SHUTDOWN_DELAY must be a duration such as 5s, not %q", text))
		}
	}
	if cfg.maxInFlight, err = httpx.MaxInFlight(getenv, defaultMaxInFlight); err != nil {
		errs = append(errs, err)
	}
	if cfg.publicEndpoint, err = parsePublicEndpoint(getenv("PUBLIC_ENDPOINT")); err != nil {
		errs = append(errs, err)
	}
	if cfg.identity, err = mutualtls.FromEnvironment(getenv); err != nil {
		errs = append(errs, err)
	}
	// The wish for a fault travels in the baggage, which a public endpoint takes from nobody.
	cfg.faults = fault.Enabled(getenv) && !cfg.publicEndpoint
	return cfg, errors.Join(errs...)
}

// parsePublicEndpoint parses PUBLIC_ENDPOINT. A frontend that nobody has configured trusts
// no caller's trace context. The lab does, because its tools look for traces that they have
// begun, and ask for faults in the baggage.
func parsePublicEndpoint(text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	public, err := strconv.ParseBool(text)
	if err != nil {
		return true, fmt.Errorf("PUBLIC_ENDPOINT must be true or false, not %q", text)
	}
	return public, nil
}

// parseBackendURL parses the backend's base address.
func parseBackendURL(text string) (*url.URL, error) {
	if text == "" {
		text = "http://localhost:8081"
	}
	base, err := webURL(text)
	if err != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("BACKEND_URL must be an http or https address such as http://localhost:8081, not %q", text)
	}
	return base, nil
}

// parseTraceURL checks LAB_TRACE_URL. It accepts only http and https, because the
// address becomes a link on the page.
func parseTraceURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	_, err := webURL(strings.ReplaceAll(text, tracePlaceholder, strings.Repeat("0", 32)))
	if err != nil || !strings.Contains(text, tracePlaceholder) {
		return "", fmt.Errorf("LAB_TRACE_URL must be an http or https address with %s in it, not %q", tracePlaceholder, text)
	}
	return text, nil
}

// webURL parses an absolute http or https address.
func webURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("not an http or https address")
	}
	return u, nil
}

// serverName is the value of server.address and server.port: the service's name and its
// port, regardless of the host in the request.
func (c config) serverName(service string) string {
	_, port, err := net.SplitHostPort(c.listen)
	if err != nil || port == "" || port == "0" {
		return service
	}
	return net.JoinHostPort(service, port)
}

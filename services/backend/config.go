package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
)

// config is the configuration from the environment.
type config struct {
	listenAddr    string              // LISTEN_ADDR, default ":8081"
	databaseURL   string              // DATABASE_URL of a PostgreSQL database; without it, the users are in databasePath
	databasePath  string              // DATABASE_PATH of an SQLite file, default "users.db"
	faults        bool                // LAB_FAULTS, default false
	shutdownDelay time.Duration       // SHUTDOWN_DELAY, default 0s
	maxInFlight   int                 // MAX_REQUESTS_IN_FLIGHT, default httpx.DefaultMaxInFlight
	identity      *mutualtls.Identity // TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE; nil without TLS
}

// readConfig reads the environment. Its error names all wrong variables at once.
func readConfig(getenv func(string) string) (config, error) {
	cfg := config{
		listenAddr:   orDefault(getenv("LISTEN_ADDR"), ":8081"),
		databaseURL:  getenv("DATABASE_URL"),
		databasePath: orDefault(getenv("DATABASE_PATH"), "users.db"),
		faults:       fault.Enabled(getenv),
	}
	var errs []error
	if _, _, err := net.SplitHostPort(cfg.listenAddr); err != nil {
		errs = append(errs, fmt.Errorf("LISTEN_ADDR: %w", err))
	}
	if cfg.databaseURL != "" && !strings.HasPrefix(cfg.databaseURL, "postgres://") && !strings.HasPrefix(cfg.databaseURL, "postgresql://") {
		// The value is a secret, and is not repeated.
		errs = append(errs, errors.New("DATABASE_URL: want postgres://USER:PASSWORD@HOST:PORT/DATABASE"))
	}
	if text := getenv("SHUTDOWN_DELAY"); text != "" {
		delay, err := time.ParseDuration(text)
		if err == nil && delay < 0 {
			err = fmt.Errorf("%s is negative", delay)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("SHUTDOWN_DELAY: %w", err))
		}
		cfg.shutdownDelay = delay
	}
	var err error
	if cfg.maxInFlight, err = httpx.MaxInFlight(getenv, httpx.DefaultMaxInFlight); err != nil {
		errs = append(errs, err)
	}
	if cfg.identity, err = mutualtls.FromEnvironment(getenv); err != nil {
		errs = append(errs, err)
	}
	return cfg, errors.Join(errs...)
}

// serverName is the value of server.address and server.port: the service's name and its
// port, as clients use them.
func (cfg config) serverName(service string) string {
	_, port, err := net.SplitHostPort(cfg.listenAddr)
	if err != nil {
		return service
	}
	return net.JoinHostPort(service, port)
}

func orDefault(value, or string) string {
	if value == "" {
		return or
	}
	return value
}

package main

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Lab is a lab on Kind inside the engine. It is up as long as the call runs.
type Lab struct {
	// +private
	Runner *dagger.Container
}

// Deploy brings the lab up on Kind inside the engine, for the functions below it.
//
// `deploy frontend up --ports 8080:8080` opens the frontend on this machine;
// another module binds it to a container of its own.
// +cache="never"
func (m *LgtmLab) Deploy(ctx context.Context) (*Lab, error) {
	c, err := m.inside(ctx)
	if err != nil {
		return nil, err
	}
	if c, err = c.WithExec(up()).Sync(ctx); err != nil {
		return nil, err
	}
	return &Lab{Runner: c}, nil
}

// Frontend returns the frontend as a service, on port 8080.
func (l *Lab) Frontend() *dagger.Service { return forward(l.Runner, "frontend") }

// Grafana returns Grafana as a service, on port 3000. Everyone who reaches it may look.
func (l *Lab) Grafana() *dagger.Service { return forward(l.Runner, "grafana") }

// Cluster returns the cluster that the lab is in.
func (l *Lab) Cluster() *Cluster { return &Cluster{Runner: l.Runner} }

// Lab brings the lab up as a service: `lab up --ports 3000:3000,8080:8080`.
//
// That opens Grafana and the frontend on this machine until Ctrl-C. It needs no
// Docker, so it also works on Windows and with an engine on another machine.
// +cache="never"
func (m *LgtmLab) Lab(ctx context.Context) (*dagger.Service, error) {
	l, err := m.Deploy(ctx)
	if err != nil {
		return nil, err
	}
	return forward(l.Runner, "frontend", "grafana"), nil
}

package main

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Lab is a lab that is up on Kind inside the engine, for as long as the call runs.
type Lab struct {
	// +private
	Runner *dagger.Container
}

// Deploy brings the lab up on Kind inside the engine, for what is called on it.
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

// Frontend is the frontend as a service, on port 8080.
func (l *Lab) Frontend() *dagger.Service { return forward(l.Runner, "frontend") }

// Grafana is Grafana as a service, on port 3000. Whoever reaches it may look.
func (l *Lab) Grafana() *dagger.Service { return forward(l.Runner, "grafana") }

// Cluster is the cluster that the lab is in.
func (l *Lab) Cluster() *Cluster { return &Cluster{Runner: l.Runner} }

// Lab is the lab as a service: `lab up --ports 3000:3000,8080:8080`.
//
// That opens Grafana and the frontend on this machine until Ctrl-C. It needs no
// Docker, so it also works on Windows and with an engine elsewhere.
// +cache="never"
func (m *LgtmLab) Lab(ctx context.Context) (*dagger.Service, error) {
	l, err := m.Deploy(ctx)
	if err != nil {
		return nil, err
	}
	return forward(l.Runner, "frontend", "grafana"), nil
}

package target

import "strconv"

// The namespaces of the lab in a cluster.
const (
	// NamespaceApp holds the frontend and the backend.
	NamespaceApp = "app"
	// NamespaceObservability holds Alloy, the three backends, Grafana, and the
	// Jobs that send traffic and verify.
	NamespaceObservability = "observability"
)

// The ports that a Kind node publishes, and where they end up on the host
// unless told otherwise.
const (
	FrontendNodePort = 30080
	GrafanaNodePort  = 30300
	FrontendHostPort = 8080
	GrafanaHostPort  = 3000
)

// ClusterPorts are the ports of the Services in a cluster. No two pods share an
// address there, so each program has the port that it has by itself.
func ClusterPorts() Ports {
	return Ports{
		Frontend: 8080, Backend: 8081, Grafana: 3000,
		Loki: 3100, LokiGRPC: 9095,
		Tempo: 3200, TempoGRPC: 9095, TempoOTLP: 4318,
		Mimir: 8080, MimirGRPC: 9095,
		Alloy: 12345, AlloyOTLPGRPC: 4317, AlloyOTLPHTTP: 4318,
	}
}

// Cluster is the target as a pod in the cluster sees it: every component by the
// name of its Service.
func Cluster() Addresses {
	p := ClusterPorts()
	at := func(component, namespace string, port int) string {
		return "http://" + component + "." + namespace + ":" + strconv.Itoa(port)
	}
	return Addresses{
		Name:     Kind,
		Frontend: at(Frontend, NamespaceApp, p.Frontend),
		Backend:  at(Backend, NamespaceApp, p.Backend),
		Alloy:    at(Alloy, NamespaceObservability, p.Alloy),
		Loki:     at(Loki, NamespaceObservability, p.Loki),
		Tempo:    at(Tempo, NamespaceObservability, p.Tempo),
		Mimir:    at(Mimir, NamespaceObservability, p.Mimir),
		Grafana:  at(Grafana, NamespaceObservability, p.Grafana),
	}
}

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

// The ports that a Kind node publishes, and the host's ports that lead to them by
// default.
const (
	FrontendNodePort = 30080
	GrafanaNodePort  = 30300
	FrontendHostPort = 8080
	GrafanaHostPort  = 3000
)

// ClusterPorts are the ports of the Services in a cluster. Every pod has an address of
// its own there, so each program keeps its default port.
func ClusterPorts() Ports {
	return Ports{
		Frontend: 8080, Backend: 8081, Grafana: 3000,
		Loki: 3100, LokiGRPC: 9095,
		Tempo: 3200, TempoGRPC: 9095, TempoOTLP: 4318,
		Mimir: 8080, MimirGRPC: 9095,
		Alloy: 12345, AlloyOTLPGRPC: 4317, AlloyOTLPHTTP: 4318, Inspector: 4318,
	}
}

// Cluster returns the addresses that a pod in the cluster uses: the name of each
// component's Service.
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
		OTLPHTTP: at(Alloy, NamespaceObservability, p.AlloyOTLPHTTP),
		OTLPGRPC: at(Alloy, NamespaceObservability, p.AlloyOTLPGRPC),
		// With --inspect only.
		Inspector: at(Inspector, NamespaceObservability, p.Inspector),
	}
}

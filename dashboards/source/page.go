package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// tag is on every dashboard of the lab. The links at the top lead to all dashboards with
// this tag.
const tag = "lab"

// Heights of panels, in rows of the grid.
const (
	low    = 4 // a number
	normal = 8 // a graph
	high   = 10
)

// page is a dashboard in the making. Panels are placed from left to right, in lines
// of 24 columns.
type page struct {
	board *dashboard.DashboardBuilder
	// id is the id of the last row or panel. The first row has 100 and its panels the
	// numbers after it; the second row has 200. So a new panel changes only the ids behind
	// it in its row, and most links to single panels remain valid.
	id uint32
}

func newPage(uid, title, description string, variables ...variable) *page {
	return &page{board: dashboard.NewDashboardBuilder("Lab / "+title).
		Uid(uid).
		Description(description).
		Tags([]string{tag}).
		Readonly(). // it comes from a file, so that changes in the browser cannot be saved
		Timezone("browser").
		Time("now-30m", "now").
		Refresh("10s").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Variables(variables).
		Links([]cog.Builder[dashboard.DashboardLink]{
			link{dashboard.DashboardLink{
				Title: "Dashboards", Type: dashboard.DashboardLinkTypeDashboards, Tags: []string{tag},
				KeepTime: true, IncludeVars: true,
			}},
		}),
	}
}

// row begins a new row of panels.
func (p *page) row(title string) *page {
	p.id = (p.id/100 + 1) * 100
	p.board.WithRow(dashboard.NewRowBuilder(title).Id(p.id))
	return p
}

// line places panels side by side, all of the same width.
func (p *page) line(height uint32, panels ...panelBuilder) {
	for _, panel := range panels {
		p.panel(24/uint32(len(panels)), height, panel)
	}
}

// panel places a panel to the right of the last one, or on a new line if the line is
// full.
func (p *page) panel(width, height uint32, panel panelBuilder) *page {
	p.id++
	p.board.WithPanel(placed{panel, p.id, width, height})
	return p
}

// placed is a panel with its id and size.
type placed struct {
	panelBuilder
	id, width, height uint32
}

// Build makes the panel.
func (p placed) Build() (dashboard.Panel, error) {
	panel, err := p.panelBuilder.Build()
	panel.Id = &p.id
	panel.GridPos = &dashboard.GridPos{W: p.width, H: p.height}
	return panel, err
}

// link is a link without changes. The SDK's own builder would move each link into the menu
// of the dashboard's controls, where it is hard to find.
type link struct{ dashboard.DashboardLink }

// Build returns the link.
func (l link) Build() (dashboard.DashboardLink, error) { return l.DashboardLink, nil }

// fromMimir is a variable with the values of a label. Readers can choose any number of
// them. The default, all of them, is the regular expression everything.
func fromMimir(name, label, description, values, everything string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).
		Label(label).
		Description(description).
		Datasource(mimir).
		Query(dashboard.StringOrMap{String: new(values)}).
		Definition(values).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).
		IncludeAll(true).
		AllValue(everything).
		Current(dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		})
}

// serviceVariable filters metrics, logs and traces alike. All services are .+, because
// Loki requires a label that is not empty, and because Alloy's own requests have no
// service_name.
func serviceVariable() variable {
	return fromMimir("service", "Service", "The services that the dashboard shows.",
		`label_values({service_name!=""}, service_name)`, ".+")
}

// namespaceVariable has no values outside of a cluster, where no signal has a namespace:
// .* matches these signals, too.
func namespaceVariable() variable {
	return fromMimir("namespace", "Namespace", "The Kubernetes namespaces that the dashboard shows. Outside a cluster there is none.",
		`label_values({service_name!=""}, k8s_namespace_name)`, ".*")
}

// The data sources, by the uids of config/grafana/provisioning/datasources.
var (
	mimir = source("prometheus", "mimir")
	loki  = source("loki", "loki")
	tempo = source("tempo", "tempo")
)

func source(kind, uid string) common.DataSourceRef {
	return common.DataSourceRef{Type: &kind, Uid: &uid}
}

// panelBuilder is a panel of any type, and variable a variable.
type (
	panelBuilder = cog.Builder[dashboard.Panel]
	variable     = cog.Builder[dashboard.VariableModel]
)

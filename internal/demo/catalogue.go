package demo

import "strings"

// catalogue is every service. What is told of days counts backwards from the end of the story.
var catalogue = []catalogued{
	{id: "checkout-api", team: "checkout", system: "shop", tier: "1", size: 1.5, about: "Takes an order from basket to confirmation.", depends: []string{"cart", "payments-api", "price-engine", "login"}, regions: []string{"eu-west-1", "us-east-1"}, tags: []string{"go", "customer-facing"}},
	{id: "checkout-web", team: "checkout", system: "shop", tier: "1", size: 1, about: "The pages of the checkout.", depends: []string{"checkout-api"}, tags: []string{"typescript", "customer-facing"}},
	{id: "cart", team: "checkout", system: "shop", tier: "1", size: 0.9, about: "Baskets, for a day or for a year.", depends: []string{"price-engine", "stock-levels"}, regions: []string{"eu-west-1", "us-east-1"}, tags: []string{"go", "customer-facing"}},
	{id: "voucher-service", team: "checkout", system: "shop", tier: "2", size: 0.35, about: "Vouchers and gift cards.", depends: []string{"cart", "ledger"}, tags: []string{"kotlin"}},
	{id: "gift-cards", team: "checkout", system: "shop", tier: "3", size: 0.2, about: "Gift cards; vouchers do that now.", depends: []string{"ledger"}, gone: 270, lifecycle: "deprecated", tags: []string{"java", "legacy"}},
	{id: "loyalty-points", team: "checkout", system: "shop", tier: "2", size: 0.4, about: "Points for purchases, and what they buy.", depends: []string{"customer-accounts"}, born: 75, via: "manual", took: -1, tags: []string{"kotlin"}},

	{id: "order-api", team: "orders", system: "orders", tier: "1", size: 0.8, about: "The life of an order after the checkout.", depends: []string{"checkout-api", "event-pipeline"}, heir: "checkout", tags: []string{"java", "customer-facing"}},
	{id: "order-history", team: "orders", system: "orders", tier: "2", size: 0.35, about: "What customers bought, and when.", depends: []string{"order-api"}, heir: "checkout", tags: []string{"java"}},
	{id: "invoice-renderer", team: "orders", system: "orders", tier: "2", size: 0.3, about: "Invoices as PDF in nine languages.", depends: []string{"order-api", "tax-calculation"}, heir: "checkout", tags: []string{"kotlin"}},
	{id: "returns-portal", team: "orders", system: "orders", tier: "2", size: 0.45, about: "Sends things back.", depends: []string{"order-api", "refunds", "parcel-tracking"}, heir: "logistics", born: 500, via: "manual", took: 34, tags: []string{"typescript", "customer-facing"}},
	{id: "order-export", team: "orders", system: "orders", tier: "3", size: 0.2, about: "Orders for the warehouse's books, every night.", depends: []string{"order-api"}, heir: "data-platform", tags: []string{"python"}},

	{id: "payments-api", team: "payments", system: "payments", tier: "1", size: 1, about: "Charges what was bought.", depends: []string{"payment-provider-adapters", "fraud-screening", "ledger"}, regions: []string{"eu-west-1", "us-east-1"}, tags: []string{"java", "pci"}},
	{id: "payment-provider-adapters", team: "payments", system: "payments", tier: "1", size: 0.8, about: "Eleven payment providers behind one interface.", tags: []string{"java", "pci"}},
	{id: "fraud-screening", team: "payments", system: "payments", tier: "1", size: 0.6, about: "Looks twice at orders that look odd.", depends: []string{"feature-store"}, tags: []string{"python", "pci"}},
	{id: "ledger", team: "payments", system: "payments", tier: "1", size: 0.5, about: "Double-entry books of everything charged and refunded.", tags: []string{"java", "pci"}},
	{id: "refunds", team: "payments", system: "payments", tier: "2", size: 0.5, about: "Gives money back.", depends: []string{"payments-api", "ledger"}, born: 190, via: "golden_path", took: 3, tags: []string{"go", "pci"}},

	{id: "price-engine", team: "pricing", system: "pricing", tier: "1", size: 0.6, about: "One price for every customer, country and minute.", depends: []string{"product-catalogue"}, tags: []string{"kotlin"}},
	{id: "promotions", team: "pricing", system: "pricing", tier: "2", size: 0.5, about: "Discounts and who gets them.", depends: []string{"price-engine"}, born: 275, via: "manual", took: 21, tags: []string{"kotlin"}},
	{id: "tax-calculation", team: "pricing", system: "pricing", tier: "2", size: 0.25, about: "Value added tax of thirty countries.", born: 62, via: "golden_path", took: 2, tags: []string{"go"}},

	{id: "product-catalogue", team: "catalogue", system: "products", tier: "1", size: 0.9, about: "Everything that is sold.", depends: []string{"event-pipeline"}, regions: []string{"eu-west-1", "us-east-1"}, tags: []string{"java"}},
	{id: "product-media", team: "catalogue", system: "products", tier: "2", size: 0.45, about: "Pictures and films of products.", depends: []string{"product-catalogue"}, tags: []string{"python"}},
	{id: "product-import", team: "catalogue", system: "products", tier: "3", size: 0.3, about: "Reads what suppliers send.", depends: []string{"product-catalogue"}, gone: 120, lifecycle: "deprecated", tags: []string{"perl", "legacy"}},
	{id: "category-tree", team: "catalogue", system: "products", tier: "2", size: 0.25, about: "Where products stand in the shop.", depends: []string{"product-catalogue"}, tags: []string{"java"}},
	{id: "product-attribute-validation-and-enrichment-pipeline", team: "catalogue", system: "products", tier: "2", size: 0.35, about: "Checks what suppliers say of their products and completes it from three sources.", depends: []string{"product-catalogue", "event-pipeline"}, tags: []string{"python"}},
	{id: "supplier-portal", team: "catalogue", system: "products", tier: "2", size: 0.5, about: "Where suppliers enter what they sell.", depends: []string{"product-catalogue", "login"}, born: 215, via: "manual", took: 47, tags: []string{"typescript"}},

	{id: "web-shop", team: "storefront", system: "shop", tier: "1", size: 1.2, part: "web", about: "The shop itself.", depends: []string{"product-catalogue", "search-api", "cart", "recommendations"}, tags: []string{"typescript", "customer-facing"}},
	{id: "landing-pages", team: "storefront", system: "shop", tier: "2", size: 0.5, part: "landing", about: "Pages for campaigns.", depends: []string{"content-preview"}, tags: []string{"typescript", "customer-facing"}},
	{id: "account-pages", team: "storefront", system: "shop", tier: "2", size: 0.5, part: "account", about: "What customers see of themselves.", depends: []string{"customer-accounts", "order-history"}, tags: []string{"typescript", "customer-facing"}},
	{id: "content-preview", team: "storefront", system: "shop", tier: "3", size: 0.2, part: "preview", about: "Shows editors what they write.", tags: []string{"typescript"}},
	{id: "experiments", team: "storefront", system: "shop", tier: "2", size: 0.4, part: "experiments", about: "Which of two versions sells more.", depends: []string{"feature-store"}, born: 455, via: "golden_path", took: 2, tags: []string{"typescript"}},
	{id: "size-advisor", team: "storefront", system: "shop", tier: "3", size: 0.3, about: "Does it fit? An experiment.", depends: []string{"product-catalogue"}, born: 25, via: "other", took: -1, lifecycle: "experimental", tags: []string{"python"}},

	{id: "search-api", team: "search", system: "discovery", tier: "1", size: 1, about: "Finds products.", depends: []string{"search-indexer"}, regions: []string{"eu-west-1", "us-east-1", "ap-south-1"}, tags: []string{"go", "customer-facing"}},
	{id: "search-indexer", team: "search", system: "discovery", tier: "2", size: 0.55, about: "Builds the index every ten minutes.", depends: []string{"product-catalogue", "event-pipeline"}, tags: []string{"go"}},
	{id: "autosuggest", team: "search", system: "discovery", tier: "2", size: 0.4, about: "Finishes what customers type.", depends: []string{"search-api"}, born: 96, via: "golden_path", took: 1, tags: []string{"go", "customer-facing"}},
	{id: "recommendations", team: "search", system: "discovery", tier: "1", size: 0.7, about: "Others also bought.", depends: []string{"feature-store", "product-catalogue"}, tags: []string{"python", "customer-facing"}},

	{id: "mobile-gateway", team: "mobile-gateway", system: "mobile", tier: "1", size: 0.9, about: "What the apps talk to.", depends: []string{"checkout-api", "search-api", "login", "notification-hub"}, regions: []string{"eu-west-1", "us-east-1"}, tags: []string{"kotlin", "customer-facing"}},
	{id: "push-tokens", team: "mobile-gateway", system: "mobile", tier: "2", size: 0.25, about: "Which phone belongs to whom.", depends: []string{"customer-accounts"}, tags: []string{"kotlin"}},
	{id: "deep-links", team: "mobile-gateway", system: "mobile", tier: "3", size: 0.25, about: "From a mail into the app.", depends: []string{"mobile-gateway"}, born: 247, via: "golden_path", took: 6, tags: []string{"go"}},

	{id: "login", team: "identity", system: "accounts", tier: "1", size: 0.65, about: "Who are you?", regions: []string{"eu-west-1", "us-east-1"}, tags: []string{"java", "security"}},
	{id: "customer-accounts", team: "identity", system: "accounts", tier: "1", size: 0.6, about: "Names, addresses, wishes.", depends: []string{"login"}, tags: []string{"java"}},
	{id: "consent-service", team: "identity", system: "accounts", tier: "2", size: 0.25, about: "What customers agreed to.", depends: []string{"customer-accounts"}, born: 480, via: "manual", took: 29, tags: []string{"kotlin"}},
	{id: "token-service", team: "identity", system: "accounts", tier: "1", size: 0.35, about: "Tokens for services that talk to each other.", born: 205, via: "golden_path", took: 4, tags: []string{"go", "security"}},
	{id: "single-sign-on-bridge-for-partner-and-supplier-portals", team: "identity", system: "accounts", tier: "2", size: 0.2, about: "Lets people of other companies in.", depends: []string{"login"}, tags: []string{"java", "security"}},
	{id: "partner-onboarding", team: "identity", system: "accounts", tier: "3", size: 0.2, about: "Forms for new partners; waits for a decision of the lawyers.", born: 180, via: "manual", took: -1, tags: []string{"typescript"}},

	{id: "notification-hub", team: "notifications", system: "messaging", tier: "1", size: 0.6, about: "One place for everything that is sent to customers.", depends: []string{"event-pipeline", "customer-accounts"}, tags: []string{"go"}},
	{id: "email-templates", team: "notifications", system: "messaging", tier: "2", size: 0.4, about: "What the mails look like.", tags: []string{"typescript"}},
	{id: "sms-gateway", team: "notifications", system: "messaging", tier: "3", size: 0.2, about: "Text messages; the hub sends them now.", gone: 130, lifecycle: "deprecated", tags: []string{"java", "legacy"}},
	{id: "customer-messaging", team: "notifications", system: "messaging", tier: "2", size: 0.45, about: "Talks with customers.", depends: []string{"notification-hub"}, born: 365, via: "golden_path", took: 3, tags: []string{"go"}},

	{id: "dispatch", team: "logistics", system: "delivery", tier: "1", size: 0.8, part: "dispatch", about: "Which parcel leaves which warehouse when.", depends: []string{"order-api", "warehouse-gateway", "route-planner"}, tags: []string{"go"}},
	{id: "route-planner", team: "logistics", system: "delivery", tier: "2", size: 0.5, part: "routes", about: "The shortest way that is open.", tags: []string{"python"}},
	{id: "parcel-tracking", team: "logistics", system: "delivery", tier: "1", size: 0.6, part: "tracking", about: "Where is my parcel?", depends: []string{"dispatch"}, tags: []string{"go", "customer-facing"}},
	{id: "warehouse-gateway", team: "logistics", system: "delivery", tier: "1", size: 0.55, part: "warehouse", about: "Speaks the language of four warehouses.", depends: []string{"event-pipeline"}, tags: []string{"java"}},
	{id: "stock-levels", team: "logistics", system: "delivery", tier: "1", size: 0.5, part: "stock", about: "How many are left.", depends: []string{"warehouse-gateway"}, born: 395, via: "golden_path", took: 5, tags: []string{"go"}},
	{id: "delivery-slots", team: "logistics", system: "delivery", tier: "2", size: 0.5, about: "When may we come?", depends: []string{"route-planner"}, born: 9, via: "golden_path", took: -1, tags: []string{"go"}},

	{id: "event-pipeline", team: "data-platform", system: "data", tier: "1", size: 0.55, about: "Moves events from those who have them to those who want them.", tags: []string{"java"}},
	{id: "reporting-api", team: "data-platform", system: "data", tier: "2", size: 0.4, about: "Figures for the rest of the company.", depends: []string{"event-pipeline"}, tags: []string{"python"}},
	{id: "feature-store", team: "data-platform", system: "data", tier: "2", size: 0.35, about: "Features for models.", depends: []string{"event-pipeline"}, born: 425, via: "manual", took: 40, tags: []string{"python"}},

	{id: "developer-portal", team: "platform", system: "platform", tier: "2", size: 0.7, about: "The catalogue, the templates and the way to everything else.", depends: []string{"token-service"}, tags: []string{"typescript", "internal"}},
	{id: "environment-operator", team: "platform", system: "platform", tier: "1", size: 0.6, about: "Makes environments out of claims.", tags: []string{"go", "internal"}},
	{id: "cost-insights", team: "platform", system: "platform", tier: "3", size: 0.35, about: "What every service costs.", depends: []string{"reporting-api"}, born: 305, via: "golden_path", took: 1, tags: []string{"go", "internal"}},
}

// language is what a service is written in.
func language(s *service) string { return s.tags[0] }

// title writes an id as people say it.
func title(id string) string {
	words := strings.Split(id, "-")
	for i, w := range words {
		switch w {
		case "api", "sms", "and", "for":
			if w != "and" && w != "for" {
				words[i] = strings.ToUpper(w)
			}
		default:
			if i == 0 {
				words[i] = strings.ToUpper(w[:1]) + w[1:]
			}
		}
	}
	return strings.Join(words, " ")
}

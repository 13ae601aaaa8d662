// The API's description, drawn by Swagger UI.
"use strict";

document.addEventListener("DOMContentLoaded", () => SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null,
}));

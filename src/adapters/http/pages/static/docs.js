// The API's description, drawn by Swagger UI.
"use strict";

document.addEventListener("DOMContentLoaded", () => SwaggerUIBundle({
  url: document.getElementById("docs").dataset.document,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
}));

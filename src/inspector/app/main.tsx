import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { warmUp } from "./chart/use-layout.ts";
import "@xyflow/react/dist/base.css";
import "./style.css";

warmUp();

const root = document.getElementById("root");
if (root !== null)
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );

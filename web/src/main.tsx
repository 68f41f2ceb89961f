import { render } from "preact";
import { LoginPage } from "./pages/login";
import { look, session } from "./session";
import { Shell } from "./shell";
import "./style.css";

function App() {
  if (session.value === undefined) return null;
  return session.value ? <Shell /> : <LoginPage />;
}

const root = document.getElementById("app")!;
look().then(
  () => {
    root.replaceChildren(); // what index.html shows until here
    render(<App />, root);
  },
  (error: Error) => {
    root.textContent = error.message;
  },
);

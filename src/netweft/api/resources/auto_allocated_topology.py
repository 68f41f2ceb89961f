"""/v2.0/auto-allocated-topology/PROJECT: what Nova asks for a VM whose user names no network (`--nic auto`)."""

from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, querystring
from netweft.api.attributes import Resource
from netweft.api.encoding import json_response, told
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import Policy
from netweft.api.running import Run
from netweft.control import auto_allocation, locks, quotas
from netweft.control.auto_allocation import AutoAllocationFailure
from netweft.control.errors import BadRequest, NotFound
from netweft.control.ipam.subnetpools import SubnetAllocationError
from netweft.control.l3.routers import Routers
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store, WriteTransaction

_DRY_RUN = "dry-run"


class AutoAllocatedTopology:
    """`None` instead of a project's id asks for the caller's own."""

    def __init__(self, network: Resource, subnet: Resource, router: Resource, store: Store) -> None:
        assert isinstance(router.use_cases, Routers)
        self._network, self._subnet, self._router = network, subnet, router
        self._interfaces = router.use_cases.interfaces
        self._policy = Policy(network)
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/auto-allocated-topology/{id}"
        return [Route(path, gate(self.show), methods=["GET"]), Route(path, gate(self.delete), methods=["DELETE"])]

    async def show(self, request: Request, context: Context) -> Response:
        """Makes it, if it is not there."""
        project = _project(request, context)
        fields = querystring.fields_of(querystring.parse(request.url.query))
        if fields and _DRY_RUN not in fields:
            raise HTTPBadRequest("Bad auto_allocate request: Unrecognized field.")
        run, work = (self._run.read, self._check) if fields else (self._run.write, self._get)
        return json_response(await run(work, context, project))

    async def delete(self, request: Request, context: Context) -> Response:
        await self._run.write(self._delete, context, _project(request, context))
        return Response(status_code=204)

    def _check(self, context: Context, project: str) -> Raw:
        with self._store.read() as tx:
            self._require(tx, context, "get", project)
            auto_allocation.external(tx)
            if not auto_allocation.pools(tx, project):
                raise AutoAllocationFailure(reason="No default subnetpools defined")
        return _told("dry-run=pass", project)

    def _get(self, context: Context, project: str) -> Raw:
        with self._store.read() as tx:
            self._require(tx, context, "get", project)
            found = auto_allocation.network_of(tx, project)
            if found and not _lacks_router(tx, found):
                return _told(found, project)
        return self._store.run(lambda tx: _told(self._make(tx, context, project), project))

    def _make(self, tx: WriteTransaction, context: Context, project: str) -> str:
        """One at a time: who comes second finds the first one's."""
        tx.take_turns(f"auto-allocated topology:{project}")
        found = auto_allocation.network_of(tx, project)
        if found and not _lacks_router(tx.glance, found):
            return found
        self._policy.require(tx, context, "create_network", {"project_id": project})
        outside = auto_allocation.external(tx)
        try:
            network = locks.to_change(tx, "networks", found, {}) if found else None
            network = network or self._private_network(tx, context, project)
        except (BadRequest, NotFound, SubnetAllocationError) as refusal:
            raise AutoAllocationFailure(reason="Unable to provide project private network") from refusal
        if not found:
            auto_allocation.keep(tx, project, network)
        try:
            self._lead_outside(tx, context, project, network, outside)
        except (BadRequest, NotFound) as refusal:
            raise AutoAllocationFailure(reason="Unable to provide external connectivity") from refusal
        return str(network["id"])

    def _lead_outside(
        self, tx: WriteTransaction, context: Context, project: str, network: Object, outside: str
    ) -> None:
        gateway = {"external_gateway_info": {"network_id": outside}}
        router = _create(tx, context, self._router, gateway | {"name": auto_allocation.ROUTER, "project_id": project})
        subnets = list(tx.glance.query("subnets", Query({"network_id": [network["id"]]})))
        auto_allocation.connect(tx, self._interfaces, project, router, subnets)
        if network["description"]:
            self._network.use_cases.update(tx, tx.lock("networks", network["id"]) or network, {"description": ""})

    def _private_network(self, tx: WriteTransaction, context: Context, project: str) -> Object:
        named = {"name": auto_allocation.NETWORK}
        network = _create(tx, context, self._network, named | {"project_id": project})
        pools = auto_allocation.pools(tx, project)
        if not pools:
            raise AutoAllocationFailure(reason="Unable to provide project private network")
        for pool in pools:
            version = pool["ip_version"]
            of = {"network_id": network["id"], "project_id": project, "subnetpool_id": pool["id"]}
            _create(
                tx, context, self._subnet, of | {"name": f"auto_allocated_subnet_v{version}", "ip_version": version}
            )
        return network

    def _delete(self, context: Context, project: str) -> None:
        def work(tx: WriteTransaction) -> None:
            self._require(tx, context, "delete", project)
            found = auto_allocation.network_of(tx, project)
            network = locks.to_change(tx, "networks", found, {}) if found else None
            made = auto_allocation.router_of(tx, project)
            router = locks.to_change(tx, "routers", made, {}) if made else None
            if network is not None:
                tx.lock_many("subnets", network["subnets"])  # they go with it, once no router is on them
            if router is not None:
                auto_allocation.disconnect(tx, self._interfaces, router, network["subnets"] if network else ())
                self._router.use_cases.delete(tx, tx.lock("routers", router["id"]) or router)
            if network is not None:
                self._network.use_cases.delete(tx, tx.lock("networks", network["id"]) or network)

        self._store.run(work)

    def _require(self, tx: ReadTransaction, context: Context, verb: str, project: str) -> None:
        self._policy.require(tx, context, f"{verb}_auto_allocated_topology", {"project_id": project})


def _create(tx: WriteTransaction, context: Context, resource: Resource, values: Object) -> Object:
    (wanted,), _ = body.for_create(resource, {resource.member: values}, context)
    locks.to_create(tx, resource.collection, [wanted])
    (created,) = resource.use_cases.create(tx, [wanted])
    if resource.quota is not None:
        quotas.check(tx, resource.member, resource.quota, [created])
    return created


def _lacks_router(tx: ReadTransaction, network_id: str) -> bool:
    """It was made before there were routers."""
    network = tx.get("networks", network_id)
    return network is not None and network["description"] == auto_allocation.WITHOUT_ROUTER


def _told(id: str, project: str) -> Raw:
    return told({"auto_allocated_topology": {"id": id, "project_id": project, "tenant_id": project}})


def _project(request: Request, context: Context) -> str:
    named: str = request.path_params["id"]
    project = context.project_id if named == "None" else named
    if project is None:
        raise HTTPBadRequest("The token is not scoped to a project, and none is named")
    return project

from serving.middleware.service import FlyballMiddleware as FlyballMiddleware
from serving.middleware.settings import ThrottleSettings as ThrottleSettings
from serving.middleware.tenancy import Tenancy as Tenancy
